package ui

import (
	"regexp"
	"strconv"
	"strings"

	"msbundle/catalog"
)

var errorNumber = regexp.MustCompile(`\d{5,7}`)

// explain finds what a number or message shown by the browser means.
func explain(text string) (catalog.SignInError, string, bool) {
	number := errorNumber.FindString(text)
	if code, err := strconv.Atoi(number); err == nil {
		e, known := catalog.SignInErrorByCode(code)
		return e, number, known
	}
	return catalog.SignInError{}, strings.TrimSpace(text), false
}
