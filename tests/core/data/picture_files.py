"""Small real pictures and folders of them."""
from __future__ import annotations

import base64
import io
import random
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from PIL import Image


def picture(seed: int = 0, size: tuple[int, int] = (24, 18), mode: str = "RGB") -> Image.Image:
    """Noise: no two seeds give the same pixels."""
    pixels = random.Random(seed).randbytes(size[0] * size[1] * 3)
    return Image.frombytes("RGB", size, pixels).convert(mode)


def encoded(image: Image.Image, format: str = "JPEG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def jpeg(seed: int = 0) -> bytes:
    return encoded(picture(seed))


def classes(counts: Mapping[str, int], suffix: str = ".jpg") -> dict[str, bytes]:
    """Files by name: as many different pictures in each folder as asked."""
    names = [f"{folder}/{number}{suffix}" for folder, n in counts.items() for number in range(n)]
    return {name: jpeg(seed) for seed, name in enumerate(names)}


def write_tree(root: Path, files: Mapping[str, bytes]) -> Path:
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def everything(root: Path, without: Iterable[str] = ()) -> set[str]:
    """Every file below a folder, except those in its sub-folders named in `without`."""
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()
            and path.relative_to(root).parts[0] not in without and path.name != ".lock"}


def _unpacked(text: str) -> bytes:
    return zlib.decompress(base64.b85decode(text))


HEIC = _unpacked(
    "c-muNV30{GsVvAy%}izhg51nBLl8SRGck>Ufw49>wIq=N0u(b+a*CjAhJwuG5(YG&l$nzcHpIn&fe{FSfN>#&27-1VR?f`KO9S&jqM|@fDif5KQI>27V)7Ma"
    "mgK^f{LL&VDge@VGYgXQfpi&AnKL6ZNN56Bk=zG{KYxGxU|`^9P5|nVaA4$N{Qn=MfElEM8HD6^F*zgxCAFLw8PQ}GC^WK8d-Y`5&K(>X1`0qSW)Q)km;_YL"
    "=E8We_&_Jn65-_hoT9wsoC=^QF9TZxP)H=RxF8kkGY2TvNX|(tfU-f3SAfzW!1VwB{|6u%hy@BVD>6ZX%p4pXKuRLBAQu+Mz;I)2WMXD*0kZpZQxZXe+^oU4"
    "p7Vk2XQluDKiQlA|FhxT>EB0>gzx`<Jo@ndE7SP@KM}1;)G*L)Kbi8h-pYEt?_2e=BHiLk!(E>0)T>q|_{yH2GRJ21mdQI;yH88ITy^eK*rz2Sua3O2th#;U"
    "n#@%7G_fPWhEX0Z9Hmymr>p-iea*eXemU>opR2llIu_qJ@w=_P4*-Aokq!")
"""64 × 32 pixels, the left half red and the right one blue; nothing here can write this format."""
HEIC_TURNED = _unpacked(
    "c-muNV30{GsVvAy%}izhg51nBLl8SRGck>Uf$>CcYDppk1Sn>t<P<^K3<a6VB@Af5Br_);Y>0~k0}}%yh{gB@LIXiNPz(r|is2$EKx~njnU@CUfn-I2oK&zf"
    "pqh-bWJ3ldK}L`g*NRNAa=wDhl3WI;N=Ej~f}#Q-`&ni|az2nQ1L}2VWCjUM04tLF!0_kqj~@&S{LBeJ9TE<VJdFSUgA_1>R4{{(+%6`EM4+UW6C)#<%mRf*"
    ")@iSvEZez*Bf~%eD8vjR7!;F$%Gq2P4;CNj1X?1ToS##amz+}p6y;@LYXAy~WEK~sLcQw%#Tv;ui3LzLC@2)5G&m6c|Ns908W;ivnH8BJL1qpP4j{#uS(IM_"
    "bPt1MW<f42QWzN+*&3OcSzFqG9I4Er)HJ9BUvf%uGB_GQW^c|-Nd(1Lvj*dO&Ih)imHz+#WN-fe&xUiSe;+*(zW@L6=)?Q3OymFmM6@bV!$7<JWXjWeE9>>X"
    "Z`IF=bc-(ycX_H)uUeVlD|>#*9Glf!ChuJBJ}vEX)wxe$pO%EYI`YP{>h_ImGE>#l#Et|TMtQVwlv)X&uKv69HTMep<-C7?uIl>fSbXEe@3!_npflJY(dg^T"
    "patY{FfcL-fkGM-nh@6m0EL#FCI")
"""The same, to be turned clockwise by 90 degrees."""
