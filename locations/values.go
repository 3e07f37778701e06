package locations

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// A user may write a secret into a wrong field of a Config. So fmt, log/slog and JSON show only
// names and addresses, without parameters and settings.
//
// Package fmt calls no methods of values in unexported fields. It shows everything there.

// String returns the names of the locations, without their addresses.
func (c Config) String() string { return "locations " + strings.Join(c.Names(), ", ") }

// String returns the address without its parameters, which may be secrets, and the names of the layers.
// If a Location is in an unexported field of another struct, package fmt does not call String, and
// shows all fields.
func (loc Location) String() string {
	address := loc.Address
	if i := strings.IndexAny(address, "?#"); i >= 0 {
		address = address[:i]
	}
	if !IsAddress(address) || strings.Contains(loc.Address, "@") {
		// The text may be a secret.
		address = "…"
	}
	for _, layer := range loc.Layers {
		address += " " + layer.String()
	}
	return address
}

// String returns the name of the layer without its settings, or "…" if it has no valid name.
func (l Layer) String() string {
	if !IsName(l.Name) {
		return "…"
	}
	return l.Name
}

// Format writes the text of String, for every verb.
func (c Config) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, c.String()) }

// Format writes the text of String, for every verb.
func (loc Location) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, loc.String()) }

// Format writes the text of String, for every verb.
func (l Layer) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, l.String()) }

// LogValue returns the text of String.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// LogValue returns the text of String.
func (loc Location) LogValue() slog.Value { return slog.StringValue(loc.String()) }

// LogValue returns the text of String.
func (l Layer) LogValue() slog.Value { return slog.StringValue(l.String()) }

// MarshalText returns the text of String, so that JSON shows no more than a log does.
func (c Config) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// MarshalText returns the text of String, so that JSON shows no more than a log does.
func (loc Location) MarshalText() ([]byte, error) { return []byte(loc.String()), nil }

// MarshalText returns the text of String, so that JSON shows no more than a log does.
func (l Layer) MarshalText() ([]byte, error) { return []byte(l.String()), nil }
