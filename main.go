// Msbundle connects Rewst to a Microsoft cloud: it makes the app registration,
// grants its permissions and proves the result. See README.md.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"msbundle/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	code := cli.Run(ctx, cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, os.Args[1:])
	stop()
	os.Exit(code)
}
