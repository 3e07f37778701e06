// Package hostname has rules for the names by which clients call a server.
package hostname

import (
	"net"
	"net/netip"
	"slices"
	"strings"
)

// Of returns a host in lower case, without its port.
func Of(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(host)
}

// IsKnown reports whether a host is an IP address, localhost or one of names. A site that binds its own name to
// the address of a server (DNS rebinding), so that a browser lets its pages read the responses, has another
// host.
func IsKnown(host string, names []string) bool {
	host = strings.Trim(Of(host), "[]")
	_, err := netip.ParseAddr(host)
	return err == nil || host == "localhost" || strings.HasSuffix(host, ".localhost") ||
		slices.ContainsFunc(names, func(known string) bool { return strings.EqualFold(known, host) })
}
