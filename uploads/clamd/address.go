package clamd

import (
	"net/url"
	"path"
	"strconv"
	"strings"
)

// longestPath is the longest path of a UNIX socket, in bytes, that both Linux (107) and macOS (103)
// allow.
const longestPath = 103

// An address holds the arguments for net.Dial.
type address struct{ network, name string }

// parseAddress parses Config.Address, the URL of the socket or of the TCP port of clamd. If the URL is
// invalid, parseAddress fails with InvalidArgument.
func parseAddress(text string) (address, error) {
	const form = `must be as in "unix:///run/clamav/clamd.ctl" or "tcp://127.0.0.1:3310"`
	u, err := url.Parse(text)
	if err != nil || !hasOnlyHostAndPath(u) {
		return address{}, invalidConfig("Config.Address", form)
	}

	switch u.Scheme {
	case "unix":
		if u.Host != "" || !isSocketPath(u.Path) {
			return address{}, invalidConfig("Config.Address", form+": the path must be that of a socket, and absolute")
		}
		if len(u.Path) > longestPath {
			rule := "must have a path of at most " + strconv.Itoa(longestPath) + " bytes"
			return address{}, invalidConfig("Config.Address", rule)
		}
		return address{network: "unix", name: u.Path}, nil
	case "tcp":
		port, err := strconv.ParseUint(u.Port(), 10, 16)
		if err != nil || port == 0 || u.Hostname() == "" || u.Path != "" {
			return address{}, invalidConfig("Config.Address", form)
		}
		return address{network: "tcp", name: u.Host}, nil
	}
	return address{}, invalidConfig("Config.Address", form)
}

// hasOnlyHostAndPath reports whether a URL has no parts but a scheme, a host and a path.
func hasOnlyHostAndPath(u *url.URL) bool {
	return u.User == nil && u.RawQuery == "" && !u.ForceQuery && u.Fragment == "" && u.Opaque == ""
}

// isSocketPath reports whether a path is absolute and can be that of a socket.
func isSocketPath(text string) bool {
	return path.IsAbs(text) && !strings.HasSuffix(text, "/") && !strings.Contains(text, "\x00")
}
