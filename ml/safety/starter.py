"""Lists to begin with, in English and Chinese, written for TagStudio. They are a help and no legal advice.

``health``: claims that a product heals, prevents or treats, which food, cosmetics and household goods may hardly
anywhere make (EU 1924/2006 and 655/2013, the FTC's health products guidance, articles 16 to 18 of the Chinese
advertising law). ``protected``: words that sort buyers by race, religion, disability, origin or sexuality, and abusive
ones. ``absolute``: superlatives that article 9 of the Chinese advertising law forbids, and their English sisters.
``ALLOWED`` are names and phrases that hold such a word and are none.
"""

from __future__ import annotations

from collections.abc import Mapping

STARTER: Mapping[str, tuple[str, ...]] = {
    "health": (
        "cures", "cure for", "heals", "treats", "prevents cancer", "anti-cancer", "anticancer", "fights cancer",
        "treats cancer", "treats diabetes", "lowers blood pressure", "lowers blood sugar", "lowers cholesterol",
        "prevents heart disease", "clinically proven", "medically proven", "doctor recommended", "miracle cure",
        "no side effects", "detoxifies", "detox", "burns fat", "weight loss guaranteed", "lose weight fast",
        "boosts immunity", "kills viruses", "kills all germs", "prevents covid", "antiviral", "relieves pain",
        "relieves arthritis", "treats depression", "treats anxiety", "cures insomnia", "reverses ageing",
        "reverses aging", "regrows hair", "hair regrowth", "restores vision", "FDA approved",
        "治疗", "治愈", "根治", "疗效", "药效", "抗癌", "防癌", "抗肿瘤", "降血压", "降血糖", "降血脂", "降三高", "消炎", "止痛", "镇痛",
        "祛病", "防病", "治病", "包治百病", "药到病除", "无副作用", "无毒副作用", "排毒", "解毒", "减肥", "瘦身", "燃脂", "壮阳", "补肾",
        "增强免疫力", "提高免疫力", "抗病毒", "杀灭病毒", "安全无副作用", "临床验证", "医学认证", "专家推荐", "医生推荐", "生发", "防脱发",
        "改善睡眠", "治失眠", "延年益寿", "抗衰老", "返老还童", "调节内分泌", "活血化瘀", "祛风湿",
    ),
    "protected": (
        "for whites only", "white people", "black people", "colored people", "coloured people", "negro", "oriental people",
        "gypsy", "gypsies", "eskimo", "redskin", "illegal immigrant", "for muslims", "for jews", "for christians",
        "muslim only", "jewish only", "christian only", "infidel", "handicapped", "crippled", "cripple", "retarded",
        "retard", "midget", "lunatic", "mentally ill", "deaf and dumb", "homosexual", "gay only", "straight only",
        "tranny", "transsexual", "HIV positive", "old maid", "fatties", "no foreigners",
        "黑鬼", "白鬼", "洋鬼子", "鬼子", "蛮夷", "蒙古大夫", "支那", "棒子国", "阿三", "残废", "瘸子", "瞎子", "聋子", "哑巴", "弱智",
        "智障", "白痴", "侏儒", "神经病", "精神病患者", "艾滋病人", "人妖", "死同性恋", "娘炮", "变性人", "异教徒", "穆斯林专用",
        "仅限汉族", "仅限男性购买", "仅限女性购买", "乡巴佬", "外地人勿扰", "老不死", "死胖子", "肥婆", "剩女",
    ),
    "absolute": (
        "the best in the world", "world's best", "number one in the world", "world no. 1", "100% effective",
        "100% guaranteed", "guaranteed results", "lowest price ever", "risk free", "never fails",
        "国家级", "世界级", "最高级", "最佳", "最好", "最大", "最优", "最先进", "最便宜", "最低价", "史上最低", "第一品牌", "全国第一",
        "全网第一", "销量第一", "排名第一", "顶级", "极品", "绝无仅有", "万能", "百分百有效", "100%有效", "永久有效", "独一无二", "史无前例",
        "国家领导人", "国家机关专用", "特供", "专供", "驰名商标", "全网最低",
    ),
}  # fmt: skip

ALLOWED: Mapping[str, tuple[str, ...]] = {
    "health": (
        "The Cure", "treats for dogs", "dog treats", "cat treats", "sweet treats", "Detox Market", "wound healing",
        "水处理", "治疗椅", "电解毒", "减肥茶杯", "瘦身裤", "瘦身剪裁", "排毒养颜锅", "生发廊",
    ),
    "protected": ("Gypsy Kings", "gypsy moth", "Gypsy Rose", "white people carrier", "Oriental rug", "Eskimo Joe", "瞎子摸象", "哑巴车"),
    "absolute": ("Best Buy", "最大尺寸", "最大功率", "最大承重", "最大容量", "最大直径", "最大亮度", "最大转速", "最大支持", "最大载重", "万能胶", "万能充", "万能表", "万能工具"),
}  # fmt: skip
"""Phrases in which a word of the list is not what the list means."""
