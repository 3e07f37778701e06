// Package config changes the configuration file, which package locations reads.
package config

import (
	"strings"

	"github.com/omnibucket/storage/locations"
)

// SettingVariable returns the environment variable that sets a flag: OMNIBUCKET_FLAG_BWLIMIT sets --bwlimit.
func SettingVariable(flag string) string {
	return locations.FlagPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}
