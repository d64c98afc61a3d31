"""The sources of published figures and claims: citation key to full reference."""

from __future__ import annotations

from dataclasses import dataclass

from ablate.config import choose


@dataclass(frozen=True, kw_only=True)
class Reference:
    """One publication or repository."""

    key: str
    authors: str
    year: int
    title: str
    venue: str
    arxiv: str = ""
    """Identifier, e.g. `2202.08005`; empty if the work is not on arXiv."""
    url: str = ""

    @property
    def text(self) -> str:
        """Return the line for a bibliography."""
        arxiv = f", arXiv:{self.arxiv}" if self.arxiv else ""
        return f"{self.authors} ({self.year}). {self.title}. {self.venue}{arxiv}."

    @property
    def link(self) -> str:
        return self.url or f"https://arxiv.org/abs/{self.arxiv}"


def reference(key: str) -> Reference:
    """Return the reference with this key. Raises `ConfigError` with the nearest known keys."""
    return REFERENCES[choose(key, REFERENCES, "reference")]


_ALL = (
    Reference(
        key="wettig2023",
        authors="Alexander Wettig, Tianyu Gao, Zexuan Zhong, Danqi Chen",
        year=2023,
        title="Should You Mask 15% in Masked Language Modeling?",
        venue="EACL 2023",
        arxiv="2202.08005",
    ),
    Reference(
        key="dinkytrain",
        authors="Princeton NLP",
        year=2022,
        title="DinkyTrain, model list of the checkpoints of Wettig et al.",
        venue="GitHub repository, README at commit 028aaca",
        url="https://github.com/princeton-nlp/DinkyTrain",
    ),
    Reference(
        key="devlin2019",
        authors="Jacob Devlin, Ming-Wei Chang, Kenton Lee, Kristina Toutanova",
        year=2019,
        title="BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding",
        venue="NAACL 2019",
        arxiv="1810.04805",
    ),
    Reference(
        key="dai2022",
        authors="Yong Dai, Linyang Li, Cong Zhou, Zhangyin Feng, Enbo Zhao, Xipeng Qiu, Piji Li, Duyu Tang",
        year=2022,
        title="“Is Whole Word Masking Always Better for Chinese BERT?”: Probing on Chinese Grammatical Error Correction",
        venue="Findings of ACL 2022",
        arxiv="2203.00286",
    ),
    Reference(
        key="ankner2024",
        authors="Zachary Ankner, Naomi Saphra, Davis Blalock, Jonathan Frankle, Matthew L. Leavitt",
        year=2024,
        title="Dynamic Masking Rate Schedules for MLM Pretraining",
        venue="EACL 2024 (short papers)",
        arxiv="2305.15096",
    ),
    Reference(
        key="charpentier2024",
        authors="Lucas Georges Gabriel Charpentier, David Samuel",
        year=2024,
        title="GPT or BERT: why not both?",
        venue="BabyLM Challenge 2024",
        arxiv="2410.24159",
    ),
    Reference(
        key="raffel2020",
        authors="Colin Raffel, Noam Shazeer, Adam Roberts, Katherine Lee, Sharan Narang, Michael Matena, Yanqi Zhou, Wei Li, "
        "Peter J. Liu",
        year=2020,
        title="Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer",
        venue="JMLR 21",
        arxiv="1910.10683",
    ),
    Reference(
        key="vaswani2017",
        authors="Ashish Vaswani, Noam Shazeer, Niki Parmar, Jakob Uszkoreit, Llion Jones, Aidan N. Gomez, Łukasz Kaiser, "
        "Illia Polosukhin",
        year=2017,
        title="Attention Is All You Need",
        venue="NeurIPS 2017",
        arxiv="1706.03762",
    ),
    Reference(
        key="rybakov2024",
        authors="Oleg Rybakov, Mike Chrzanowski, Peter Dykas, Jinze Xue, Ben Lanir",
        year=2024,
        title="Methods of improving LLM training stability",
        venue="arXiv preprint",
        arxiv="2410.16682",
    ),
    Reference(
        key="jordan2024",
        authors="Keller Jordan and contributors",
        year=2024,
        title="modded-nanogpt: speedrunning the NanoGPT baseline",
        venue="GitHub repository, README at commit f411b3d",
        url="https://github.com/KellerJordan/modded-nanogpt",
    ),
    Reference(
        key="nakanishi2025",
        authors="Ken M. Nakanishi",
        year=2025,
        title="Scalable-Softmax Is Superior for Attention",
        venue="arXiv preprint",
        arxiv="2501.19399",
    ),
    Reference(
        key="warstadt2020",
        authors="Alex Warstadt, Alicia Parrish, Haokun Liu, Anhad Mohananey, Wei Peng, Sheng-Fu Wang, Samuel R. Bowman",
        year=2020,
        title="BLiMP: The Benchmark of Linguistic Minimal Pairs for English",
        venue="TACL 8",
        arxiv="1912.00582",
    ),
    Reference(
        key="lan2020",
        authors="Zhenzhong Lan, Mingda Chen, Sebastian Goodman, Kevin Gimpel, Piyush Sharma, Radu Soricut",
        year=2020,
        title="ALBERT: A Lite BERT for Self-supervised Learning of Language Representations",
        venue="ICLR 2020",
        arxiv="1909.11942",
    ),
    Reference(
        key="he2019",
        authors="Junxian He, Daniel Spokoyny, Graham Neubig, Taylor Berg-Kirkpatrick",
        year=2019,
        title="Lagging Inference Networks and Posterior Collapse in Variational Autoencoders",
        venue="ICLR 2019",
        arxiv="1901.05534",
    ),
    Reference(
        key="xue2025",
        authors="Shuchen Xue, Tianyu Xie, Tianyang Hu, Zijin Feng, Jiacheng Sun, Kenji Kawaguchi, Zhenguo Li, Zhi-Ming Ma",
        year=2025,
        title="Any-Order GPT as Masked Diffusion Model: Decoupling Formulation and Architecture",
        venue="arXiv preprint",
        arxiv="2506.19935",
    ),
    Reference(
        key="liu2019",
        authors="Yinhan Liu, Myle Ott, Naman Goyal, Jingfei Du, Mandar Joshi, Danqi Chen, Omer Levy, Mike Lewis, "
        "Luke Zettlemoyer, Veselin Stoyanov",
        year=2019,
        title="RoBERTa: A Robustly Optimized BERT Pretraining Approach",
        venue="arXiv preprint",
        arxiv="1907.11692",
    ),
    Reference(
        key="yang2019",
        authors="Zhilin Yang, Zihang Dai, Yiming Yang, Jaime Carbonell, Ruslan Salakhutdinov, Quoc V. Le",
        year=2019,
        title="XLNet: Generalized Autoregressive Pretraining for Language Understanding",
        venue="NeurIPS 2019",
        arxiv="1906.08237",
    ),
    Reference(
        key="gisserot2025",
        authors="Hippolyte Gisserot-Boukhlef, Nicolas Boizard, Manuel Faysse, Duarte M. Alves, Emmanuel Malherbe, "
        "André F. T. Martins, Céline Hudelot, Pierre Colombo",
        year=2025,
        title="Should We Still Pretrain Encoders with Masked Language Modeling?",
        venue="arXiv preprint",
        arxiv="2507.00994",
    ),
    Reference(
        key="wang2022",
        authors="Thomas Wang, Adam Roberts, Daniel Hesslow, Teven Le Scao, Hyung Won Chung, Iz Beltagy, Julien Launay, "
        "Colin Raffel",
        year=2022,
        title="What Language Model Architecture and Pretraining Objective Work Best for Zero-Shot Generalization?",
        venue="ICML 2022",
        arxiv="2204.05832",
    ),
    Reference(
        key="fu2019",
        authors="Hao Fu, Chunyuan Li, Xiaodong Liu, Jianfeng Gao, Asli Celikyilmaz, Lawrence Carin",
        year=2019,
        title="Cyclical Annealing Schedule: A Simple Approach to Mitigating KL Vanishing",
        venue="NAACL 2019",
        arxiv="1903.10145",
    ),
    Reference(
        key="li2019",
        authors="Bohan Li, Junxian He, Graham Neubig, Taylor Berg-Kirkpatrick, Yiming Yang",
        year=2019,
        title="A Surprisingly Effective Fix for Deep Latent Variable Modeling of Text",
        venue="EMNLP 2019",
        arxiv="1909.00868",
    ),
    Reference(
        key="caccia2020",
        authors="Massimo Caccia, Lucas Caccia, William Fedus, Hugo Larochelle, Joelle Pineau, Laurent Charlin",
        year=2020,
        title="Language GANs Falling Short",
        venue="ICLR 2020",
        arxiv="1811.02549",
    ),
    Reference(
        key="nie2019",
        authors="Weili Nie, Nina Narodytska, Ankit Patel",
        year=2019,
        title="RelGAN: Relational Generative Adversarial Networks for Text Generation",
        venue="ICLR 2019",
        url="https://openreview.net/forum?id=rJedV3R5tm",
    ),
    Reference(
        key="zhu2018",
        authors="Yaoming Zhu, Sidi Lu, Lei Zheng, Jiaxian Guo, Weinan Zhang, Jun Wang, Yong Yu",
        year=2018,
        title="Texygen: A Benchmarking Platform for Text Generation Models",
        venue="SIGIR 2018",
        arxiv="1802.01886",
    ),
)
REFERENCES: dict[str, Reference] = {found.key: found for found in _ALL}
