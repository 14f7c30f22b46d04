"""The commonest words of some languages, so that a young site's first items are compared by the rare ones.

Counted in the 1,004 sentences a language of SIB-200 (Adelani et al. 2024), in the form that `text.tokens` gives them,
commonest first; words that tell a subject ("travel", "country") were taken out by hand, and in English those of
the news ("says", "Tuesday", "forty") added. A language that is not here learns from its own items alone.
"""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["LANGUAGES", "commonest"]

_WORDS = {
    "ar": (
        "في من على إلى أن أو ما التي عن مع بعد قد كان ذلك هذا لا الذي هي هذه يمكن خلال هو عام أكثر قبل بين "
        "إذا كما كل تكون حيث بشكل كانت يكون أي بعض أنه غير أيضا ولكن مثل يجب تم العديد يتم عندما الثاني إن "
        "أخرى الرغم عبر جميع حتى وهو بسبب لم عند الأخرى هناك لكن إلا الأولى والتي فقط معظم وقت يوم وقد وهي "
        "وفي بها أثناء"
    ),
    "de": (
        "die der und in zu von ist das den sie eine auf mit im dass sich für ein es als des dem oder sind um "
        "werden an auch nicht wie einer nach er einem wird bei wurde aus wenn einen andere über können haben "
        "am war hat sein zum kann man aber durch vor nur ihre diese sollte eines währen sehr wurden so einige "
        "vom zur zurück meiste bis keine zwei dieser"
    ),
    "en": (
        "the of and to in is that are for on with as by or be was it from have this can at you they which but "
        "has an not one other were their will when most more also he all many if some its had first may your "
        "after there about only been these than two time his new often out includ even into over very throug "
        "so made during said no"
        " before any would could should becaus while where who what how since until during under betwee well then "
        "them through still back day days week month year years last next says say told accord report found seen show "
        "shows just like make made take get go come came left people monday tuesda wednes thursd friday saturd sunday "
        "anothe agains around did does do down same such own off again ever never us we our she her him my me these "
        "those each both withou within later early ago one three four five six seven eight nine ten eleven "
        "twelve twenty thirty forty fifty hundre thousa millio billio"
    ),
    "es": (
        "de la en el que los se un del las con una por para es su más no al como lo son si sus fue puede "
        "entre primer ser sobre durant este desde tambié cuando estado sin otros pero gran forma pueden dos "
        "mayor parte posibl está solo existe donde esta muy ya alguno hacia luego hasta import segund través "
        "uno especi además bien vez tiene inform ha han antes tiempo contra"
    ),
    "fr": (
        "de la le et les des en un est une du que pour dans qui sur plus sont il par au se ou ont été qu pas "
        "vous avec ce être ne mais aux comme peut si nombre son autres bien ils ces leur deux même peuven "
        "tout cette utilis après on était sa égalem pendan entre faire fait avoir aussi très souven grande "
        "elle moins avant peu où sud sous plupar"
    ),
    "hi": (
        "के में है और की से को हैं का पर एक लिए कि ने यह भी करने जो या किया था नहीं साथ कर हो ही रूप गया इस "
        "वाले कुछ लेकिन बाद कई वे तक पहले करते सबसे आप थे तो सकता अपने समय ज़्याद जाता किसी थी बहुत तरह कहा "
        "जा रहे होता सकते हुए होने जाने अपनी होती कम दिया करता द्वारा जब कोई पास अन्य गए वह कारण"
    ),
    "it": (
        "di il la che in per un del una le della si ha sono da più con al non dei gli dell nel delle come all "
        "alla anche nella essere hanno se lo stato parte ma cui questo dal tra possib second prima molto ad "
        "loro può ai posson contro stati uno necess degli su alle due dopo modo propri sia quando sulla nell "
        "divers altri solo era dalla spesso alcuni tuttav"
    ),
    "ja": (
        "ます した てい して まし いま する りま です こと され あり しま って るこ から この には ある "
        "れて いる があ れま では であ よう ると その れた でき ため れる でし なり ない った ので ませ "
        "せん によ とが られ にな 的な もの とし きま これ なる など とい どの るの 多く すが より るた "
        "うに いう たち 必要 なく 的に いた いて 場合 とを 可能 まで ょう めに きる"
    ),
    "ko": (
        "니다 습니 에서 으로 수 하는 있습 이 합니 입니 있다 있는 했습 지만 들은 들이 했다 하고 한다 "
        "하지 적인 이다 하기 다른 더 라고 것이 었습 적으 되었 이라 었다 년 으며 에는 그 위해 가장 다고 "
        "다는 대한 많은 이는 서는 때문 에게 자들 부분 및 는 하게 필요 대부 것은 문에 같은 제공 가지 한 "
        "까지 경우 리는 것을 람들 들어 보다 되어 중 기에 가능 또는 일반"
    ),
    "pt": (
        "de que em para do um da uma os no se com as por na como mais ou não são dos ao foi ser você das mas "
        "sua seu pode também muito ele podem quando pelo grande está tem foram isso eles nos até alguns sobre "
        "pela após entre maior segund forma durant muitos onde outros mesmo antes ter anos tempo sem há parte "
        "contra têm estado necess todos maiori outras princi"
    ),
    "ru": (
        "на что как по не из это для или которы от чтобы за но он также во вы они после если могут до его "
        "того время являет так может которо более их некото когда при были больши был было году то года где "
        "быть можно часто же очень все возмож чем есть со называ нескол сущест извест обычно способ даже "
        "других больше через этого только котора была эти всех том распол всего"
    ),
    "tr": (
        "ve bir için bu da daha olarak çok en olan de veya olduğu ile ya gibi diğer nın sonra ancak her "
        "tarafı kadar şekild üzerin tüm olabil genell fakat ın yeni küçük nin iyi fazla ilk in iki vardır "
        "çoğu araştı birçok sahip arasın bazı gerçek önce daki yer uzun dan birlik aynı yaklaş buluna sahipt "
        "az etti ziyare olması kontro bilim etkile hastal sağlam bulund geri tek merkez un yapıla önemli"
    ),
    "uk": (
        "на що та до не як це за для або які від щоб він але також якщо через вони ви того може після із час "
        "його під коли про були можуть багато року бути так який часто чи має було частин по році мають тому "
        "ніж дуже можлив можна їх зі яка був деякі навіть де найбіл цей ці інших більше хоча більші близьк "
        "оскіль те ще отрима вона років яких все"
    ),
    "vi": (
        "và có là của một các được trong những thể đã này với cho không người đến khi vào để từ trên sự ra "
        "nhất về nhiều bạn như năm thành sẽ bị khác số việc hơn quan hiện cũng đó tại hoặc đi thường theo lại "
        "sau du chỉ trước phải rằng nhưng cách cả qua dụng phát hai kết nên giới mà bộ lịch trình thực địa họ "
        "hình định"
    ),
    "zh": (
        "一个 可以 可能 其他 这些 是一 如果 他们 提供 没有 进行 因为 它们 通常 的地 使用 需要 包括 能会 "
        "一些 的人 通过 一种 年 情况 许多 表示 发现 的一 中的 这种 大多 成为 开始 多数 有一 认为 这是 "
        "称为 为了 的大 所有 任何 部分 已经 不同 主要 问题 的情 公司 是在 了一 果你 组成 发生 大的 方式 "
        "月 我们 的是 而且 这一 尽管 目的 很多 也是 第二 之间 地球 要求 非常 英里"
    ),
}


#: those that are here
LANGUAGES = tuple(_WORDS)


def commonest(language: str) -> Iterator[tuple[str, float]]:
    """The commonest words of a language, each with the share of texts that hold it (by Zipf's law, roughly).

    No share is below 0.08, so that at a young site none of them counts as rare.
    """
    for rank, word in enumerate(_WORDS.get(language, "").split()):
        yield word, max(0.08, min(0.6, 1.6 / (rank + 4)))
