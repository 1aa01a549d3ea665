"""The transformers that can be chosen for texts, as rows of facts. Torch-free.

Sizes are those of the published files, parameters those of the network with a head for two labels.
"""
from __future__ import annotations

from core.models.rows import ModelRow, Pooling, TextInput

COUNTED_TOKENS = 32
SOURCE_CLASSES = 2
"""Labels for which the rows' parameters are stated: these networks are published without a head for labels."""
NOTES_BY_DEPTH = ("words and their order", "grammar", "who does what to whom", "meaning")
"""What the groups of layers know best, first to last (Tenney et al. 2019, arXiv:1905.05950)."""
SHARED_NOTE = "the same layer again and again: order, grammar, meaning"
NOTES_BY_GROUP = {"embeddings": "what each word means by itself", "head": "sums up the text and decides between the labels"}

APACHE, MIT = "Apache-2.0", "MIT"
WIKIPEDIA_AND_BOOKS = "English Wikipedia and 11,000 books"


def _row(key: str, title: str, repo: str, size_bytes: int, parameters: int, licence: str, learnt_from: str, limits: str, *,
         feature_width: int = 768, pooling: Pooling = "first", max_tokens: int = 512, languages: str = "English") -> ModelRow:
    return ModelRow(
        key=key, title=title, family="Transformer", builder="", weights="", weights_file="model.safetensors", size_bytes=size_bytes,
        parameters=parameters, feature_width=feature_width, score=None, score_source="", limits=limits, task="text", adapter="transformers",
        repo=repo, source_classes=SOURCE_CLASSES, licence=licence, learnt_from=learnt_from,
        input=TextInput(max_tokens=max_tokens, counted_tokens=COUNTED_TOKENS, pooling=pooling, languages=languages, pipeline=pooling != "mean"))


TEXT_ROWS: tuple[ModelRow, ...] = (
    _row("minilm", "MiniLM", "sentence-transformers/all-MiniLM-L6-v2", 90_900_000, 22_566_146, APACHE,
         "a billion pairs of English sentences that belong together: questions and answers, titles, comments",
         "A sound first choice: small, and made to say what whole sentences mean. Fine differences of grammar it sees less.",
         feature_width=384, pooling="mean"),
    _row("minilm-multilingual", "MiniLM multilingual", "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2", 479_700_000, 117_506_690, APACHE,
         "sentences and their translations into 50 languages, by imitating an English network",
         "For texts in several languages, Chinese among them. Most of it is its large vocabulary; it has learned from sentences, not "
         "from long texts.", feature_width=384, pooling="mean", languages="50 languages"),
    _row("distilbert", "DistilBERT", "distilbert/distilbert-base-uncased", 268_400_000, 66_955_010, APACHE,
         "English Wikipedia and 11,000 books, by imitating BERT",
         "Nearly as good as BERT at half the cost. It ignores capital letters."),
    _row("bert-base", "BERT base", "google-bert/bert-base-uncased", 440_900_000, 109_483_778, APACHE, WIKIPEDIA_AND_BOOKS,
         "The network that most courses and articles use; newer ones of its size are better. It ignores capital letters."),
    _row("roberta-base", "RoBERTa base", "FacebookAI/roberta-base", 500_200_000, 124_647_170, MIT,
         "160 GB of English text: books, Wikipedia, news, web pages",
         "Often better than BERT at the same cost. Slow to train in full without a GPU."),
    _row("deberta-v3-small", "DeBERTa v3 small", "microsoft/deberta-v3-small", 288_700_000, 141_896_450, MIT,
         "160 GB of English text: books, Wikipedia, news, web pages",
         "Accurate for its cost, but two thirds of it are its large vocabulary. It wants small learning rates and some patience."),
    _row("albert-base", "ALBERT base", "albert/albert-base-v2", 48_700_000, 11_685_122, APACHE, WIKIPEDIA_AND_BOOKS,
         "A small file, since one layer is used twelve times: it is no quicker than BERT, and freezes only as a whole."),
    _row("xlm-roberta-base", "XLM-RoBERTa base", "FacebookAI/xlm-roberta-base", 1_124_700_000, 278_045_186, MIT,
         "2.5 TB of web pages in 100 languages",
         "For texts in many languages. A very large file, most of it its vocabulary; it learns slowly from few texts.",
         languages="100 languages"),
    _row("bert-base-chinese", "BERT base Chinese", "google-bert/bert-base-chinese", 411_800_000, 102_269_186, APACHE,
         "Chinese Wikipedia, in simplified and traditional characters",
         "It reads character by character. Chinese RoBERTa learned from far more text.", languages="Chinese"),
    _row("chinese-roberta-wwm", "Chinese RoBERTa wwm", "hfl/chinese-roberta-wwm-ext", 411_900_000, 102_269_186, APACHE,
         "Chinese Wikipedia, encyclopaedias, news and questions with answers: 5.4 billion words",
         "A sound choice for Chinese. Slow to train in full without a GPU.", languages="Chinese"),
    _row("gpt2", "GPT-2", "openai-community/gpt2", 549_500_000, 124_441_344, MIT, "8 million English web pages that people had linked to",
         "It was made to continue texts and reads only backwards: networks that read both ways decide better on few texts.",
         pooling="last", max_tokens=1024),
)
