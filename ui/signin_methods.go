package ui

import (
	"slices"

	"msbundle/steps"
)

// methodName names a way to sign in.
func methodName(m steps.Method) string {
	switch m {
	case steps.ByBrowser:
		return "a browser on this computer"
	case steps.ByTunnel:
		return "a browser on another computer"
	}
	return "a code on any device"
}

// methodShort names it where room is short.
func methodShort(m steps.Method) string {
	switch m {
	case steps.ByBrowser:
		return "Browser here"
	case steps.ByTunnel:
		return "Browser elsewhere"
	}
	return "Code on any device"
}

// methodHelps says when a way to sign in helps.
func methodHelps(m steps.Method) string {
	switch m {
	case steps.ByBrowser:
		return "The sign-in page opens here and comes back by itself. It also serves where a policy blocks codes (error 53003) or asks for a device it knows."
	case steps.ByTunnel:
		return "For a machine you reach through ssh: one more ssh command leads the browser of your own computer back here. It also serves where a policy blocks codes (error 53003)."
	}
	return "A short code, typed on the phone or computer of your choice. Nothing has to be installed or opened here. Some organisations block it (error 53003)."
}

// withBrowser is the way to sign in with a browser in place of a code.
func withBrowser(methods []steps.Method) (steps.Method, bool) {
	for _, m := range []steps.Method{steps.ByBrowser, steps.ByTunnel} {
		if slices.Contains(methods, m) {
			return m, true
		}
	}
	return "", false
}

// use begins sign-in n again by a method; 0 sets the one to begin with.
func (w *wizard) use(n int, m steps.Method) {
	w.method = m
	w.cfg.Setup.Use(n, m)
}
