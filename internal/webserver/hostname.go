// Package hostname checks the host name with which a client has called a server.
package hostname

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
)

// Of returns a host name in lower case and without the port. host may be the value of
// a Host header.
func Of(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(host)
}

// IsKnown reports whether host is an IP address, localhost or one of the given names. A server that
// refuses other hosts is safe from DNS rebinding. In that attack, a website makes its own name
// point to the server, so that its pages could read the responses.
func IsKnown(host string, names []string) bool {
	host = strings.Trim(Of(host), "[]")
	_, err := netip.ParseAddr(host)
	return err == nil || host == "localhost" || strings.HasSuffix(host, ".localhost") ||
		slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, host) })
}

// WithOwn returns names, preceded by the name of this machine if the machine has one.
func WithOwn(names []string) []string {
	if host, err := os.Hostname(); err == nil {
		return append([]string{host}, names...)
	}
	return names
}
