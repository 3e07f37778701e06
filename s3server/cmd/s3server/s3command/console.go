package s3command

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"

	"github.com/omnibucket/storage/internal/webserver"
)

// consoleOff is the value of the flag --console that turns the console off.
const consoleOff = "off"

// consoleAddress returns the address at which the console listens, or "" if there is no console. The console has a port
// of its own, because at the port of S3 a script in an object would run in the console's origin.
func (c *command) consoleAddress() string {
	browser, _ := c.env.Lookup("MINIO_BROWSER")
	if browser == "off" || browser == "false" {
		return ""
	}
	address := c.flags.console
	if address == "" {
		address, _ = c.env.Lookup("MINIO_CONSOLE_ADDRESS")
	}
	if address == consoleOff {
		return ""
	}
	// Without an address, the console is only for a trial on this machine.
	isTrial := c.credentials.generated && isLoopback(c.flags.Listen)
	if address == "" && isTrial {
		return "127.0.0.1:0" // any free port
	}
	return address
}

// isLoopback reports whether the host of an address is localhost or a loopback address.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// listenForConsole opens the port of the console, if there is one. The console has TLS only if the server's certificate
// comes from files.
func (c *command) listenForConsole(ctx context.Context, config *tls.Config) error {
	address := c.consoleAddress()
	if address == "" {
		return nil
	}

	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	if config != nil && len(config.Certificates) > 0 {
		listener = tls.NewListener(listener, config)
	}
	c.consoleListener = listener
	return nil
}

func (c *command) consoleURL() string {
	scheme := "http://"
	if c.flags.certFile != "" {
		scheme = "https://"
	}
	return scheme + webserver.ReachableAddress(c.consoleListener.Addr()) + "/"
}

// Hosts returns the host names by which browsers may call a server on this machine. They are the
// machine's own names and those of the flag --domain. IP addresses and localhost are permitted
// without being listed.
func (f *Flags) Hosts() []string { return webserver.WithOwnHost(f.domains) }
