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
	patternLabels := strings.Split(pattern, ".")
	hostLabels := strings.Split(host, ".")
	slices.Reverse(patternLabels)
	slices.Reverse(hostLabels)
	for i, want := range patternLabels {
		isMissing := i >= len(hostLabels) || hostLabels[i] == ""
		if isMissing {
			return "", false
		}
		if want == "*" {
			return region, true
		}

		// With the label "s3-{region}", the text after "s3-" is the region.
		prefix, hasRegion := strings.CutSuffix(want, RegionLabel)
		if hasRegion {
			region, ok = strings.CutPrefix(hostLabels[i], prefix)
			if !ok || region == "" {
				return "", false
			}
			continue
		}
		if want != hostLabels[i] {
			return "", false
		}
	}
	return region, len(patternLabels) == len(hostLabels)
}

// RegionLabel is the placeholder for a region in a pattern.
const RegionLabel = "{region}"

// IsLabel reports whether a text may be a label of a host, such as the name of a region.
func IsLabel(name string) bool {
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}
