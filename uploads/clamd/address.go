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

// parseAddress parses Config.Address. If the URL is invalid, it returns the rule that the URL
// breaks.
func parseAddress(s string) (_ address, rule string) {
	const form = `must be as in "unix:///run/clamav/clamd.ctl" or "tcp://127.0.0.1:3310"`
	u, err := url.Parse(s)
	if err != nil || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.Opaque != "" {
		return address{}, form
	}
	switch u.Scheme {
	case "unix":
		if u.Host != "" || !path.IsAbs(u.Path) || strings.HasSuffix(u.Path, "/") || strings.Contains(u.Path, "\x00") {
			return address{}, form + ": the path must be that of a socket, and absolute"
		}
		if len(u.Path) > longestPath {
			return address{}, "must have a path of at most " + strconv.Itoa(longestPath) + " bytes"
		}
		return address{"unix", u.Path}, ""
	case "tcp":
		port, err := strconv.ParseUint(u.Port(), 10, 16)
		if err != nil || port == 0 || u.Hostname() == "" || u.Path != "" {
			return address{}, form
		}
		return address{"tcp", u.Host}, ""
	}
	return address{}, form
}
