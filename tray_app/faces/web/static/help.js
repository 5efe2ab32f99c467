// The manual: a button that copies a block of code, and a list that follows what is typed into the search.

const leaf = document.querySelector(".leaf");

for (const button of document.querySelectorAll(".copy")) {
  button.hidden = !navigator.clipboard;
  const name = button.textContent;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.parentElement.querySelector("code").textContent);
    button.textContent = leaf.dataset.copied;
    setTimeout(() => { button.textContent = name; }, 1500);
  });
}

const field = document.getElementById("q");

function narrow() {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  const holds = (text) => words.every((word) => text.includes(word));
  let any = false;
  for (const book of document.querySelectorAll(".book")) {
    const whole = holds(book.dataset.title);
    let some = false;
    for (const line of book.querySelectorAll("li")) {
      line.hidden = !whole && !holds(`${book.dataset.title} ${line.dataset.title}`);
      some ||= !line.hidden;
    }
    book.hidden = !whole && !some;
    any ||= !book.hidden;
  }
  document.getElementById("nothing").hidden = any;
}

if (field && !new URLSearchParams(location.search).get("q")) field.addEventListener("input", narrow);
