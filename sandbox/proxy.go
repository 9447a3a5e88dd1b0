package sandbox

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
)

// connectProxy leads every tunnel to one address: a program that is told to use
// it reaches the sandbox and never the network.
type connectProxy struct {
	ctx context.Context // ends the tunnels
	to  string
}

func (p connectProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		http.Error(w, "sandbox: this proxy carries https only", http.StatusNotImplemented)
		return
	}
	far, err := (&net.Dialer{}).DialContext(p.ctx, "tcp", p.to)
	if err != nil {
		http.Error(w, "sandbox: the server is gone", http.StatusBadGateway)
		return
	}
	defer func() { _ = far.Close() }()
	near, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "sandbox: the tunnel could not be opened", http.StatusInternalServerError)
		return
	}
	defer func() { _ = near.Close() }()
	unhook := context.AfterFunc(p.ctx, func() { _, _ = near.Close(), far.Close() })
	defer unhook()
	if _, err := near.Write([]byte("HTTP/1.1 200 Connection established\r\n\r\n")); err != nil {
		return
	}
	var both sync.WaitGroup
	carry := func(to net.Conn, from io.Reader) {
		_, _ = io.Copy(to, from)
		// The other side may still have something to say.
		if half, can := to.(interface{ CloseWrite() error }); can {
			_ = half.CloseWrite()
		}
	}
	both.Go(func() { carry(far, buffered) })
	both.Go(func() { carry(near, far) })
	both.Wait()
}

// quietLog sends what a server complains about, such as clients that do not
// trust its certificate, to Options.Log.
func quietLog(c *Cloud) *log.Logger { return log.New(logWriter{c}, "", 0) }

type logWriter struct{ c *Cloud }

func (w logWriter) Write(text []byte) (int, error) {
	w.c.note(strings.TrimSpace(string(text)))
	return len(text), nil
}
