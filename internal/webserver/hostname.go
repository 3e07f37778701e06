package webserver

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
)

// HostName returns a host, such as the value of a Host header, in lower case and without its port.
func HostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(host)
}

// IsKnownHost reports whether host is an IP address, localhost or one of the names.
//
// A server that refuses other hosts is safe from DNS rebinding, by which the pages of a website
// read the responses.
func IsKnownHost(host string, names []string) bool {
	host = strings.Trim(HostName(host), "[]")
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	return slices.ContainsFunc(names, func(name string) bool {
		return strings.EqualFold(name, host)
	})
}

// WithOwnHost returns names with the name of this machine before them, if it has one.
func WithOwnHost(names []string) []string {
	if host, err := os.Hostname(); err == nil {
		return append([]string{host}, names...)
	}
	return names
}
