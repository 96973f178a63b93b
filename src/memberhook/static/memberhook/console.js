// The field map: "Add a row". Without this script the spare rows do, and saving gives new ones.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-mh-add-row]");
  if (!button) return;
  const box = button.closest("[data-mh-rows]");
  const body = box.querySelector("tbody");
  const row = box.querySelector("template").content.firstElementChild.cloneNode(true);
  for (const field of row.querySelectorAll("[name]")) field.name = field.name.replace("__row__", body.children.length);
  body.append(row);
  row.querySelector("input").focus();
});
