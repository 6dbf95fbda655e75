// A query and documents to begin with. Some share the words of the query and do not answer it.

export const QUERY = "Why do leaves change colour in autumn?";
export const DOCUMENTS = [
  {
    id: "palette",
    title: "Autumn colours for your living room",
    text: "Warm reds and soft browns suit a room that looks out on trees. Choose one strong colour and leave the rest plain. Cushions are easy to change with the season.",
  },
  {
    id: "walks",
    title: "Five walks under falling leaves",
    text: "The beech woods are at their best in the last week of October. Start early, as the car parks fill. Take the path along the stream, where the leaves turn first.",
  },
  {
    id: "chameleon",
    title: "The skin of chameleons",
    text: "A chameleon changes colour by moving tiny crystals in its skin apart. It does so to warm itself and to speak to others, not to hide among leaves.",
  },
  {
    id: "maple",
    title: "The red of maples",
    text: "Maple leaves turn red because the tree makes anthocyanins late in the year, when sugar is trapped in the leaf. Nobody is sure why a tree spends energy on a leaf that is about to fall.",
  },
  {
    id: "compost",
    title: "Leaf mould in one year",
    text: "Rake the leaves after rain, fill a wire cage and wait. Oak and beech need a second autumn; hazel is ready in one.",
  },
  {
    id: "winter",
    title: "How a tree prepares for winter",
    text: "As days grow shorter, a tree takes back what it can use before it lets its leaves go. In autumn leaves change colour because chlorophyll, which keeps them green, is broken down. Yellow and orange pigments that were there all summer then become visible. Needles of a pine stay green.",
  },
  {
    id: "frost",
    title: "What a hard frost does",
    text: "A hard frost kills leaves before they can turn, and they fall brown. Mild days with cool nights give the strongest reds.",
  },
  {
    id: "evergreen",
    title: "Trees that stay green",
    text: "Needles of a pine live for several years. A coat of wax keeps water in, so the tree need not drop them when the ground freezes.",
  },
];
