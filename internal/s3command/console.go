package s3command

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"os"

	"github.com/omnibucket/storage/internal/httpserver"
)

// consoleOff is the address that means no console.
const consoleOff = "off"

// consoleAddress returns where the console listens, or "". It has a port of its own, and so an origin of
// its own: a browser runs the scripts of an object in the origin of S3.
func (c *command) consoleAddress() string {
	address := c.flags.console
	for _, name := range []string{"MINIO_CONSOLE_ADDRESS", "MINIO_BROWSER"} {
		switch text, _ := c.env.Lookup(name); {
		case name == "MINIO_BROWSER" && (text == "off" || text == "false"):
			return ""
		case name == "MINIO_CONSOLE_ADDRESS" && address == "":
			address = text
		}
	}
	switch {
	case address == consoleOff:
		return ""
	case address == "" && c.found.generated && isLoopback(c.flags.Listen):
		return "127.0.0.1:0"
	}
	return address
}

func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// listenForConsole listens, with the server's certificate if it has one from files.
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
	c.atConsole = listener
	return nil
}

func (c *command) consoleURL() string {
	scheme := "http://"
	if c.flags.certFile != "" {
		scheme = "https://"
	}
	return scheme + httpserver.ReachableAddress(c.atConsole.Addr()) + "/"
}

// Hosts returns the names by which browsers may call a server of this machine, besides addresses and
// localhost.
func (f *Flags) Hosts() []string {
	hosts := f.domains
	if name, err := os.Hostname(); err == nil {
		hosts = append([]string{name}, hosts...)
	}
	return hosts
}
