package steps

import "msbundle/state"

// exchangeReadings read the owned app's directory roles.
func (s *Setup) exchangeReadings(a state.Answers, f *Findings) []reading { return nil }

// planExchange gives the owned app Exchange Administrator.
func planExchange(p *Plan) {}

// exchangeResult says what was read back.
func exchangeResult(a state.Answers, f *Findings) string { return "" }

// exchangeChecks check what this part needs.
func exchangeChecks(a state.Answers, f *Findings) []Check { return nil }
