package cli

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"msbundle/catalog"
)

const explainSchema = "msbundle.explain/1"

const (
	// maxExplained is how much is read: whole logs, but no endless stream.
	maxExplained = 1 << 20
	// maxEcho is how many letters of the text are shown again.
	maxEcho = 600
)

func (a *app) explainCommand() *cobra.Command {
	var way customerWay
	c := &cobra.Command{
		Use:   "explain \"TEXT\" | - | --customer NAME",
		Short: "Say what an error of Microsoft or Rewst means and what to do, or why a customer cannot be reached",
		Long: "Takes an error number, a message, a browser page's text or a log, as arguments or from stdin, and names the cause,\n" +
			"what to do and who can do it. It works without a network and sends nothing. Exit code 1: the error is not known.\n\n" +
			"  msbundle explain 53003\n  msbundle explain < error.json\n\n" +
			"With --customer it signs in to the partner's tenant and follows the way of the service account to that customer\n" +
			"(GDAP). It names every link that is broken, the one to mend first in front, each with what to do. What the account\n" +
			"that is signed in cannot see is marked with ?. It only reads, and can be run beside a wizard or an apply.\n" +
			"Exit code 0: no link is broken; 1: one is; 2: there is no such customer.\n\n" +
			"  msbundle explain --customer fabrikam.onmicrosoft.com --role \"Exchange Administrator\"",
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if way.customer != "" || way.role != "" || way.file != "" {
				return a.explainCustomer(cmd.Context(), way, args)
			}
			text, err := a.toExplain(cmd.Context(), args)
			if err != nil {
				return err
			}
			if strings.TrimSpace(text) == "" {
				return usage("explain: give the error's number or text, for example: msbundle explain 53003")
			}
			e := catalog.Explain(catalog.Clues{Text: text})
			if a.flags.json {
				if err := a.printJSON(explanation(e, text)); err != nil {
					return err
				}
			} else {
				printExplanation(a.fit(a.Out), e, text)
			}
			if !e.Found {
				return &exitError{code: exitFailed}
			}
			return nil
		},
	}
	c.Flags().StringVar(&way.customer, "customer", "", "why can this customer not be reached? Its name, domain or tenant id")
	c.Flags().StringVar(&way.role, "role", "", "with --customer: the role it is about, for example \"Exchange Administrator\"; default: all of the setup's")
	c.Flags().StringVarP(&way.file, "file", "f", "", "with --customer: setup file; default: the one kept for the tenant")
	return c
}

// toExplain is the text of the arguments, or of stdin.
func (a *app) toExplain(ctx context.Context, args []string) (string, error) {
	if len(args) > 0 && (len(args) != 1 || args[0] != "-") {
		return strings.Join(args, " "), nil
	}
	if isTerminal(a.In) {
		if a.flags.noInput {
			return "", nil
		}
		a.remark("Paste the error, then end with Ctrl+D (Ctrl+Z and Enter on Windows) on a line of its own.")
	}
	type read struct {
		data []byte
		err  error
	}
	done := make(chan read, 1)
	go func() {
		data, err := io.ReadAll(io.LimitReader(a.In, maxExplained+1))
		done <- read{data, err}
	}()
	select {
	case r := <-done:
		if len(r.data) > maxExplained {
			a.remark("Only the first megabyte is looked at.")
		}
		if r.err != nil {
			return "", fmt.Errorf("stdin cannot be read: %w", r.err)
		}
		return string(r.data), nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

type explainDocument struct {
	Schema        string            `json:"schema"`
	Found         bool              `json:"found"`
	ID            string            `json:"id"`
	Code          string            `json:"code"`
	Cause         string            `json:"cause"`
	Fix           string            `json:"fix"`
	Who           string            `json:"who"`
	Method        string            `json:"method,omitempty"`
	Retry         bool              `json:"retry"` // the same again, with nothing changed, may help
	Where         string            `json:"where"`
	Source        string            `json:"source"`
	RequestID     string            `json:"requestId"`
	CorrelationID string            `json:"correlationId"`
	TraceID       string            `json:"traceId"`
	Timestamp     string            `json:"timestamp"`
	AppID         string            `json:"appId"`
	AppName       string            `json:"appName"`
	Tenant        string            `json:"tenant"`
	Others        []otherDocument   `json:"others"`
	Nearest       []nearestDocument `json:"nearest"`
	Text          string            `json:"text"`
}

// otherDocument is a further code in the text; nearestDocument an error that only
// resembles one that is not known.
type (
	otherDocument struct {
		Code  string `json:"code"`
		Cause string `json:"cause"`
	}
	nearestDocument struct {
		ID    string `json:"id"`
		Cause string `json:"cause"`
	}
)

func explanation(e catalog.Explanation, text string) explainDocument {
	d := explainDocument{
		Schema: explainSchema, Found: e.Found, ID: e.Rule.ID, Code: e.Code, Cause: e.Rule.Cause, Fix: e.Rule.Fix, Who: string(e.Rule.Who),
		Method: e.Rule.Method, Retry: e.Rule.Retry, Where: e.Rule.Where.String(), Source: e.Rule.Source,
		RequestID: e.RequestID, CorrelationID: e.CorrelationID, TraceID: e.TraceID, Timestamp: e.Timestamp,
		AppID: e.AppID, AppName: e.AppName, Tenant: e.Tenant,
		Others: []otherDocument{}, Nearest: []nearestDocument{}, Text: echo(text),
	}
	for _, o := range e.Others {
		d.Others = append(d.Others, otherDocument(o))
	}
	for _, r := range e.Nearest {
		d.Nearest = append(d.Nearest, nearestDocument{r.ID, r.Cause})
	}
	return d
}

func printExplanation(w io.Writer, e catalog.Explanation, text string) {
	line := func(label, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s: %s\n", label, plain(value))
		}
	}
	if !e.Found {
		unknown := "This error is not known"
		if e.Code != "" {
			unknown += ": " + e.Code
		}
		fmt.Fprintln(w, plain(unknown))
		if len(e.Nearest) > 0 {
			fmt.Fprintln(w, "Similar, but not the same:")
		}
		for _, r := range e.Nearest {
			fmt.Fprintf(w, "  %s: %s\n", r.ID, r.Cause)
		}
		line("What to do", "Look a number up at https://login.microsoftonline.com/error. Microsoft's support asks for the request id and the time, Rewst's for the whole message.")
	} else {
		line("Code", e.Code)
		line("Cause", e.Rule.Cause)
		line("What to do", e.Rule.Fix)
		line("Who can fix it", string(e.Rule.Who))
		if e.Rule.Method != "" {
			line("May work instead", "sign-in with --auth "+e.Rule.Method)
		}
		if e.Rule.Retry {
			line("Trying again", "may help, with nothing changed")
		}
		line("Where it comes from", e.Rule.Where.String()+"; see "+e.Rule.Source)
	}
	for _, o := range e.Others {
		meaning := o.Cause
		if meaning == "" {
			meaning = "not known"
		}
		line("Also in the text", o.Code+": "+meaning)
	}
	line("Request id", e.RequestID)
	line("Correlation id", e.CorrelationID)
	line("Trace id", e.TraceID)
	line("Time", e.Timestamp)
	app := e.AppName
	switch {
	case app == "":
		app = e.AppID
	case e.AppID != "":
		app += " (" + e.AppID + ")"
	}
	line("App", app)
	line("Tenant", e.Tenant)
	line("The text", echo(text))
}

// secrets are what somebody may paste along with an error: tokens, and values
// named as a secret. What is printed again is often passed on.
var secrets = regexp.MustCompile(`(?i)eyJ[a-z0-9_-]{8,}(?:\.[a-z0-9_-]*){0,4}|(\b(?:bearer|basic)\s+|(?:client[_ ]?secret|secrettext|password|refresh_token|access_token|id_token|device_code|client_assertion|assertion)\\*["']?\s*(?:[:=]|%3D)\s*\\*["']?)[^\s"'&,;\\]{6,}|(\bcode\\*["']?\s*(?:[:=]|%3D)\s*\\*["']?)[^\s"'&\\]{20,}`)

// echo is the text as it is shown again: on one line, not too long, no secrets.
func echo(text string) string {
	const spare = 4 * maxEcho // bytes of a letter, so that no more than needed is worked on
	cut := len(text) > spare
	if cut {
		text = text[:spare]
	}
	text = secrets.ReplaceAllString(strings.Join(strings.Fields(strings.ToValidUTF8(text, "\uFFFD")), " "), "${1}${2}[redacted]")
	if letters := []rune(text); len(letters) > maxEcho {
		text, cut = string(letters[:maxEcho]), true
	}
	if cut {
		text += "…"
	}
	return text
}
