package catalog

import "strings"

// Context is what a text says about the request that failed: what support asks
// for, and which app and tenant it was about.
type Context struct {
	RequestID     string
	CorrelationID string
	TraceID       string
	Timestamp     string
	AppID         string
	AppName       string
	Tenant        string // an id, a domain or a name
}

const (
	guidForm = `([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})`
	// valueOf leads from a label to its value, in prose and in JSON.
	valueOf = `["']?(?: for [a-z' ]{1,30})?\s{0,3}[:=]\s{0,3}["']?`
)

var (
	requestIDs     = after(valueOf+guidForm, "request-id", "request id", "requestid", "request_id")
	correlationIDs = after(valueOf+guidForm, "correlation id", "correlation-id", "correlationid", "correlation_id", "correlation-request-id")
	traceIDs       = after(valueOf+guidForm, "trace id", "trace_id", "traceid", "trace-id")
	timestamps     = after(valueOf+`(20[0-9]{2}-[0-9]{2}-[0-9]{2}[t ][0-9]{2}:[0-9]{2}(?::[0-9]{2})?(?:\.[0-9]{1,9})?(?:z|[+-][0-9]{2}:[0-9]{2})?)`, "timestamp", "date")
	appIDs         = after(`(?: app)?(?:[ _-]?id(?:entifier)?| with id(?:entifier)?| with identifier| to app)?["']?\s{0,3}[:=]?\s{0,3}["']?`+guidForm, "application", "app", "client")
	appNames       = after(valueOf+`([^\n"']{1,120})`, "app name", "appname", "application name", "app_name", "appdisplayname")
	appNamed       = after(` ?["']?`+guidForm+`["']?(?: named ["']([^"'\n]{1,120})["']| ?\(["']?([^)"'\n]{1,120})["']?\))`, "application", "application with id", "app", "client app id:")
	tenantIDs      = after(`(?:[ _-]?(?:id|name))?["']?\s{0,3}[:=]\s{0,3}["']?`+guidForm, "tenant", "directory")
	tenantNamed    = after(`(?: named)? ["']([^"'\n]{1,120})["']`, "tenant", "directory")
	tenantInURL    = after(`[a-z.]{3,40}/([0-9a-z.-]{4,120})/`, "login.")
)

// readContext finds what a text says about the request. Where a log holds several,
// what stands nearest to the code counts.
func readContext(s *signs, at int) Context {
	return Context{
		RequestID:     s.value(at, requestIDs),
		CorrelationID: s.value(at, correlationIDs),
		TraceID:       s.value(at, traceIDs),
		Timestamp:     s.value(at, timestamps),
		AppID:         s.value(at, appIDs),
		AppName:       s.value(at, appNames, appNamed),
		Tenant:        s.value(at, tenantIDs, tenantNamed, tenantInURL),
	}
}

// value is what stands nearest to a place, in the first form that occurs.
func (s *signs) value(at int, forms ...labelled) string {
	for _, form := range forms {
		best, distance := "", -1
		for _, m := range s.find(form) {
			before := s.lower[max(0, m[0]-12):m[0]]
			if strings.HasSuffix(before, "client-") || strings.HasSuffix(before, "correlation-") {
				continue // the client's own id, or another label
			}
			last := len(m) - 2
			for m[last] < 0 {
				last -= 2
			}
			text := strings.TrimSpace(s.shown[m[last]:m[last+1]])
			d := max(m[0]-at, at-m[0])
			if distance < 0 || d < distance {
				best, distance = text, d
			}
		}
		if best != "" && best != "common" && best != "organizations" {
			return strings.ToValidUTF8(best, "")
		}
	}
	return ""
}
