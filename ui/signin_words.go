package ui

// What both faces of the wizard say about a sign-in.
const (
	onlyYourCode = "Only enter this code if you started this sign-in yourself."
	onlyYourPage = "Only go on there if you started this sign-in yourself."
	openHere     = "Your browser was asked to open the sign-in page. If nothing opened, open this address on this computer:"
	runThere     = "On the computer whose browser you use, run this and leave it running:"
	openThere    = "Then open this address there:"
	playedPage   = "Rehearsal: the simulated administrator signs in by itself. In earnest your browser opens Microsoft's sign-in page."
	sandboxPage  = "Rehearsal: open this page of the sandbox. The code means nothing on Microsoft's real page."
	unknownError = "This error is not known here."
	lookItUp     = "Look its number up at https://login.microsoftonline.com/error. \"More details\" on the page names the request for Microsoft's support."
)
