package ui

import (
	"testing"

	"msbundle/steps"
)

// What is gone on with is named where it is about a part only.
func TestResumeNamesItsPart(t *testing.T) {
	tell(t, func(f *fake, _ *Config) {
		u := unfinishedContoso()
		u.About, u.Left, u.Stage = "consent at 3 customers", "what failed there", steps.StageCustomers
		f.open = []steps.Unfinished{u}
	}, func(s *story) {
		s.sees("› Resume Contoso: consent at 3 customers")
		s.sees("Left: what failed there")
	})
}
