// Package hostname has the hosts of S3 servers: patterns that match them, and the partitions of Amazon's
// cloud. Start at [Match].
package hostname

import (
	"slices"
	"strings"
)

// Match compares a host with a pattern, label by label from the end. A "*" at the start of the
// pattern matches one or more labels. "{region}" at the end of a label stands for the region, which
// Match returns.
func Match(pattern, host string) (region string, ok bool) {
	want := strings.Split(pattern, ".")
	labels := strings.Split(host, ".")
	slices.Reverse(want)
	slices.Reverse(labels)
	for i, label := range want {
		if i >= len(labels) || labels[i] == "" {
			// The host has fewer labels than the pattern.
			return "", false
		}
		if label == "*" {
			return region, true
		}

		// The text after the prefix of the label is the region.
		if prefix, hasRegion := strings.CutSuffix(label, RegionLabel); hasRegion {
			region, ok = strings.CutPrefix(labels[i], prefix)
			if !ok || region == "" {
				return "", false
			}
			continue
		}
		if label != labels[i] {
			return "", false
		}
	}
	return region, len(want) == len(labels)
}

// RegionLabel is the placeholder for a region in a pattern.
const RegionLabel = "{region}"

// IsLabel reports whether a text may be a label of a host, such as the name of a region.
func IsLabel(name string) bool {
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}
