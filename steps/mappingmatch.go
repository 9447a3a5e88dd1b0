package steps

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// grade is how well two names agree, before figures count.
type grade int

const (
	gradeNone  grade = iota // words that tell companies apart differ
	gradeNear               // some words have no counterpart
	gradeTypo               // each has one, some with other letters
	gradeSlip               // each has one, some with letters doubled, swapped or left out
	gradeSame               // the same words, perhaps in another order
	gradeExact              // and the same legal form
)

// How alike names have to be.
const (
	leastAlike  = 0.6  // to be suggested
	leastLead   = 0.12 // that the best is ahead of what is no match, for a slip to be certain
	mostDoubted = 0.8  // confidence in what is not certain
	mostRivals  = 8    // organisations that are looked at closely for one customer
)

// pair is a customer and an organisation that may belong together.
type pair struct {
	row, organization int
	grade             grade
	alike             float64
}

func comparePairs(a, b pair) int {
	return cmp.Or(cmp.Compare(b.grade, a.grade), cmp.Compare(b.alike, a.alike))
}

// suggest finds what the rows without a choice seem to be. Those with one are told
// what they would be if nobody had a choice, for when theirs is taken back; and
// nothing is certain that would not be so then: linking what is certain must not make
// more certain.
func (m *Mapping) suggest() {
	rows, free := make([]bool, len(m.rows)), make([]bool, len(m.organizations))
	chosen := false
	for i := range rows {
		rows[i] = len(m.rows[i].Organizations) == 0 && !m.declined[i]
		chosen = chosen || !rows[i]
	}
	for n := range free {
		free[n] = len(m.users[n]) == 0
	}
	m.guess(rows, free)
	if now := m.suggested; chosen {
		for i := range rows {
			rows[i] = true
		}
		for n := range free {
			free[n] = !m.Missing(n)
		}
		m.suggested = make([]*Suggestion, len(m.rows))
		m.guess(rows, free)
		for row, s := range now {
			switch all := m.suggested[row]; {
			case s == nil:
			case s.Certain && (all == nil || !all.Certain): // only because a rival is gone
				if all == nil || all.Organization != s.Organization {
					s.Certain, s.Confidence = false, min(s.Confidence, mostDoubted)
					m.suggested[row] = s
				}
			default:
				m.suggested[row] = s
			}
		}
	}
	for row, s := range m.suggested {
		if s == nil {
			continue
		}
		for _, n := range append([]int{s.Organization}, s.Also...) {
			m.wanted[n] = append(m.wanted[n], int32(row))
		}
		m.refresh(row)
	}
}

// guess finds what some rows seem to be among some organisations. The surest goes
// first: who has found its counterpart is nobody else's rival any more.
func (m *Mapping) guess(rows, free []bool) {
	m.byTenantID(rows, free)
	for n, o := range m.organizations {
		free[n] = free[n] && o.TenantID == "" // another tenant's
	}
	forms := m.forms(rows, free)
	m.byDomain(rows, free, forms)
	m.byName(rows, free, forms)
}

func (m *Mapping) byTenantID(rows, free []bool) {
	for n, o := range m.organizations {
		row, found := m.byTenant[strings.ToLower(o.TenantID)]
		if !found || o.TenantID == "" || !free[n] || !rows[row] {
			continue
		}
		if s := m.suggested[row]; s != nil {
			s.Also = append(s.Also, n)
		} else {
			m.suggested[row] = &Suggestion{Organization: n, Confidence: 1, Reason: "same tenant id", Certain: true}
		}
	}
	for row, s := range m.suggested {
		if s != nil {
			rows[row] = false
		}
	}
}

// nameForms are the names that are compared; zero where there is nothing to compare.
type nameForms struct{ rows, organizations []nameForm }

func (m *Mapping) forms(rows, free []bool) nameForms {
	f := nameForms{make([]nameForm, len(rows)), make([]nameForm, len(free))}
	for i := range rows {
		if rows[i] {
			f.rows[i] = normalised(m.rows[i].Name)
		}
	}
	for n := range free {
		if free[n] {
			f.organizations[n] = normalised(m.organizations[n].Name)
		}
	}
	return f
}

// byDomain goes by domains that are one customer's and one organisation's alone.
func (m *Mapping) byDomain(rows, free []bool, forms nameForms) {
	owners := map[string][]int{}
	for row := range m.rows {
		if !rows[row] {
			continue
		}
		for _, d := range m.rows[row].allDomains() {
			if !slices.Contains(owners[d], row) {
				owners[d] = append(owners[d], row)
			}
		}
	}
	claims := make(map[int][]int) // organisations by row
	for n, o := range m.organizations {
		if d := telltaleDomain(o.Domain); free[n] && d != "" {
			for _, row := range owners[d] {
				claims[row] = append(claims[row], n)
			}
		}
	}
	keys := map[string][]int{}
	for n := range free {
		if free[n] {
			keys[forms.organizations[n].key] = append(keys[forms.organizations[n].key], n)
		}
	}
	for row, list := range claims {
		best, most := list[0], -1.0
		for _, n := range list {
			if a := alike(forms.rows[row], forms.organizations[n]); a > most {
				best, most = n, a
			}
		}
		d := telltaleDomain(m.organizations[best].Domain)
		s := &Suggestion{Organization: best, Confidence: 0.97, Reason: "same domain " + d, Certain: true}
		doubt := func(format string, args ...any) {
			s.Certain, s.Confidence = false, 0.7
			s.Reason += fmt.Sprintf(format, args...)
		}
		g := forms.rows[row].grade(forms.organizations[best], nil)
		same := keys[forms.rows[row].key]
		switch {
		case len(list) > 1:
			doubt(", which %d organisations have", len(list))
		case len(owners[d]) > 1:
			doubt(", which %d customers have", len(owners[d]))
		case g == gradeNone && forms.rows[row].key != "":
			doubt(", but the names say two companies")
		case len(same) > 0 && !slices.Contains(same, best):
			doubt(", but %s has the name", m.organizations[same[0]].Name)
		}
		m.suggested[row] = s
	}
	for row := range claims { // only now: order must not matter
		if s := m.suggested[row]; s.Certain {
			rows[row], free[s.Organization] = false, false
		}
	}
}

// allDomains are a customer's that say who it is.
func (r *CustomerRow) allDomains() []string {
	var out []string
	for _, d := range append([]string{r.Domain}, r.Domains...) {
		if d = telltaleDomain(d); d != "" {
			out = append(out, d)
		}
	}
	return out
}

// telltaleDomain is a domain as it is compared; empty when it says nothing about
// who has it.
func telltaleDomain(s string) string {
	s = strings.TrimPrefix(strings.ToLower(strings.TrimSpace(s)), "www.")
	if strings.HasSuffix(s, ".onmicrosoft.com") || strings.HasSuffix(s, ".onmicrosoft.us") || strings.HasSuffix(s, ".partner.onmschina.cn") || freeMail[s] {
		return ""
	}
	return s
}

// freeMail are domains of mailboxes anybody can have.
var freeMail = func() map[string]bool {
	set := map[string]bool{}
	for d := range strings.FieldsSeq(`gmail.com googlemail.com outlook.com hotmail.com live.com msn.com hotmail.co.uk live.co.uk outlook.de hotmail.de
		hotmail.fr live.nl yahoo.com yahoo.co.uk yahoo.de yahoo.fr ymail.com rocketmail.com aol.com icloud.com me.com mac.com proton.me
		protonmail.com pm.me zoho.com mail.com email.com gmx.com gmx.net gmx.de gmx.at gmx.ch web.de t-online.de freenet.de posteo.de mailbox.org
		fastmail.com tutanota.com yandex.com yandex.ru mail.ru qq.com 163.com 126.com comcast.net verizon.net att.net sbcglobal.net bellsouth.net
		cox.net charter.net btinternet.com sky.com virginmedia.com orange.fr wanadoo.fr free.fr laposte.net libero.it bigpond.com optusnet.com.au
		shaw.ca rogers.com sympatico.ca telus.net xtra.co.nz`) {
		set[d] = true
	}
	return set
}()

// byName goes by names. Certain is only who is the other's best as well, with
// nobody near.
func (m *Mapping) byName(rows, free []bool, forms nameForms) {
	x := indexNames(forms, rows, free)
	ofRow := make([][]pair, len(m.rows))
	ofOrganization := make([][]pair, len(m.organizations))
	for row := range m.rows {
		if !rows[row] || forms.rows[row].key == "" {
			continue
		}
		for _, n := range x.near(forms.rows[row]) {
			g := forms.rows[row].grade(forms.organizations[n], x.known)
			p := pair{row, int(n), g, alike(forms.rows[row], forms.organizations[n])}
			if g == gradeNone || g == gradeNear && p.alike < leastAlike {
				continue
			}
			ofRow[row] = append(ofRow[row], p)
			ofOrganization[n] = append(ofOrganization[n], p)
		}
	}
	for row := range ofRow {
		slices.SortStableFunc(ofRow[row], comparePairs)
	}
	for n := range ofOrganization {
		slices.SortStableFunc(ofOrganization[n], comparePairs)
	}
	for row, list := range ofRow {
		if m.suggested[row] != nil || len(list) == 0 {
			continue
		}
		p := list[0]
		s := &Suggestion{Organization: p.organization, Confidence: p.confidence(), Reason: p.reason()}
		s.Certain = p.grade >= gradeSlip
		if rival, found := rivalOf(p, list); found {
			s.Certain = false
			s.Reason += ", as " + m.organizations[rival.organization].Name + " has"
		} else if rival, found := rivalOf(p, ofOrganization[p.organization]); found {
			s.Certain = false
			s.Reason += ", as the customer " + m.toldApart(rival.row, m.rows[row].Name) + " has"
		}
		if !s.Certain {
			s.Confidence = min(s.Confidence, mostDoubted)
		}
		m.suggested[row] = s
	}
}

// rivalOf finds a pair that keeps another from being certain.
func rivalOf(p pair, others []pair) (pair, bool) {
	for _, q := range others {
		if q.row == p.row && q.organization == p.organization {
			continue
		}
		if q.grade >= p.grade || p.grade < gradeSame && (q.grade >= gradeTypo || q.alike > p.alike-leastLead) {
			return q, true
		}
	}
	return pair{}, false
}

func (p pair) confidence() float64 {
	switch p.grade {
	case gradeExact:
		return 0.98
	case gradeSame:
		return 0.95
	case gradeSlip:
		return 0.9
	case gradeTypo:
		return 0.8
	}
	return math.Floor(p.alike*80) / 100
}

func (p pair) reason() string {
	switch p.grade {
	case gradeExact:
		return "same name"
	case gradeSame:
		return "same name but for the legal form or how it is written"
	case gradeSlip, gradeTypo:
		return "same name but for a few letters"
	}
	return "name alike"
}
