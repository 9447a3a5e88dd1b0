package steps

const stepUndo = "undo"
