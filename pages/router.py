"""The frame of every page: language, access, navigation, and what is running now."""
from __future__ import annotations

from pathlib import Path

import streamlit as st

from core.errors import UserError
from core.jobs.supervisor import ensure_supervisor
from pages.ui import access, sidebar, state, style
from pages.ui.errors import show_error, show_unexpected
from pages.ui.i18n import _

ASSETS = Path(__file__).parents[1] / "assets"


def main() -> None:
    st.set_page_config(page_title="Graft", page_icon=str(ASSETS / "favicon.png"), layout="wide")
    style.apply()
    try:
        _frame()
    except UserError as error:
        show_error(error)
    except Exception as error:  # the last line of defence: a calm panel instead of a traceback, and the log keeps the rest
        show_unexpected(error)


def _frame() -> None:
    """Navigation around the page that was asked for. The page's own faults leave the frame standing."""
    if state.owner() is None:
        access.join_page()
        return
    ensure_supervisor(state.workspace())
    page = st.navigation({
        "": [st.Page("start.py", title=_("Start"), icon=":material/home:", default=True),
             st.Page("data.py", title=_("Data"), icon=":material/photo_library:"),
             st.Page("model.py", title=_("Model"), icon=":material/account_tree:"),
             st.Page("train.py", title=_("Train"), icon=":material/show_chart:")],
        _("This run"): [st.Page("results.py", title=_("Results"), icon=":material/insights:"),
                        st.Page("try_it.py", title=_("Try it"), icon=":material/frame_inspect:"),
                        st.Page("export.py", title=_("Take home"), icon=":material/package_2:")],
        _("Workspace"): [st.Page("runs.py", title=_("Runs"), icon=":material/list:"),
                         st.Page("compare.py", title=_("Compare"), icon=":material/compare_arrows:", visibility="hidden"),
                         st.Page("settings.py", title=_("Settings"), icon=":material/settings:")],
    })
    st.logo(str(ASSETS / "wordmark.svg"), icon_image=str(ASSETS / "logo.svg"), size="large")
    sidebar.foot(page.url_path)  # first: a page may stop before its end
    try:
        page.run()
    except UserError as error:
        show_error(error)
    except Exception as error:  # the last line of defence: a calm panel instead of a traceback, and the log keeps the rest
        show_unexpected(error)


main()
