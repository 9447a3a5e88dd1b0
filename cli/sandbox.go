package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"msbundle/sandbox"
)

func (a *app) sandboxCommand() *cobra.Command {
	var o sandbox.ServerOptions
	var scenarios strings.Builder
	for _, s := range sandbox.Scenarios() {
		fmt.Fprintf(&scenarios, "  %-24s %s\n", s.Name, s.Title)
	}
	c := &cobra.Command{
		Use:   "sandbox",
		Short: "Serve a simulated Microsoft cloud on this machine",
		Long: "Serves a simulated Microsoft cloud that msbundle (--sandbox=https://127.0.0.1:9443) and other tools can be\n" +
			"rehearsed against. Scenarios:\n\n" + scenarios.String(),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options, err := a.flags.rehearsal.options()
			if err != nil {
				return err
			}
			cloud, err := sandbox.New(options)
			if err != nil {
				return usage("--%w", err) // it begins with the option's name
			}
			serving := false
			o.Ready = func(addr, proxy string) {
				serving = true
				t := cloud.Tenant()
				fmt.Fprintf(a.Err, "Simulated Microsoft cloud at https://%s\n  tenant   %s (%s)\n  sign in  %s, at https://%s/devicelogin\n",
					addr, plain(t.Name), t.ID, t.Admin, addr)
				fmt.Fprintf(a.Err, "  approve  as a customer, at %s\n", sandbox.CustomersPage("https://"+addr))
				use := "msbundle --sandbox=https://" + addr
				if t.Cloud != "" {
					use += " --cloud=" + t.Cloud
				}
				fmt.Fprintf(a.Err, "  use it   %s\n", use)
				if id, secret := cloud.AppCredentials(); id != "" {
					fmt.Fprintf(a.Err, "  app      %s, which signs in by itself with the secret %s\n", id, secret)
				}
				if proxy != "" {
					fmt.Fprintf(a.Err, "  proxy    HTTPS_PROXY=http://%s\n", proxy)
				}
			}
			err = cloud.Serve(cmd.Context(), o)
			switch {
			case err == nil || cmd.Context().Err() != nil:
				return nil
			case !serving: // an address or a file that cannot be used
				return usage("--%w", err)
			}
			return &exitError{exitFailed, err}
		},
	}
	c.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		for _, name := range rehearsalFlags { // hidden elsewhere, where they would only be in the way
			cmd.InheritedFlags().Lookup(name).Hidden = false
		}
		cmd.Root().HelpFunc()(cmd, args)
	})
	c.Flags().StringVar(&o.Listen, "listen", "127.0.0.1:9443", "address to serve on; this machine only")
	c.Flags().StringVar(&o.Proxy, "proxy", "", "also open a CONNECT proxy at this address that leads every Microsoft host here")
	c.Flags().StringVar(&o.CAFile, "ca", "", "write the certificate authority to trust to this file")
	return c
}
