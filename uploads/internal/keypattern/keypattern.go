// Package keypattern makes the keys of files, of fixed text, of what the application says, and of what
// nobody can guess. It knows neither files nor HTTP.
package keypattern

import (
	"encoding/base32"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage/internal/timeid"
)

const (
	maxValue  = 128  // bytes
	maxSuffix = 16   // bytes of an extension, with its dot
	maxKey    = 1024 // bytes, the limit of stores
)

// User is the place for the ID of a user. A pattern need not have it.
const User = "user"

// A Random is what makes a key unique.
type Random [16]byte

// String returns it as 26 letters and digits.
func (r Random) String() string { return randomText.EncodeToString(r[:]) }

// IsRandom reports whether text can be a Random.
func IsRandom(text string) bool {
	return len(text) == randomLength && strings.Trim(text, randomAlphabet) == ""
}

// randomText encodes 16 bytes as 26 characters that no file system confuses, whether
// or not it ignores case.
var randomText = base32.NewEncoding(randomAlphabet).WithPadding(base32.NoPadding)

const (
	randomAlphabet = "abcdefghijklmnopqrstuvwxyz234567"
	randomLength   = (len(Random{})*8 + 4) / 5
)

// A place is a part of a pattern: fixed text, or a name in braces.
type place struct{ literal, name string }

// A Pattern makes keys. A key can be read in only one way, because everything but the
// values has a known length and a segment has at most one value.
type Pattern struct {
	Text   string
	Values []string // the names that the application fills
	places []place
}

// ownNames has the names that this package fills, their length in bytes, and what text they can be.
var ownNames = map[string]struct {
	width int
	valid func(string) bool
}{
	"yyyy": {4, isNumber}, "mm": {2, isNumber}, "dd": {2, isNumber},
	"random": {randomLength, IsRandom},
	"id":     {timeid.Length, timeid.Valid},
	"ext":    {maxSuffix, IsExtension},
}

func isNumber(text string) bool { return strings.Trim(text, "0123456789") == "" }

// Parse returns the pattern, or the rule that it breaks.
func Parse(text string) (*Pattern, string) {
	p := &Pattern{Text: text}
	length := 0
	for rest := text; rest != ""; {
		literal, named, opened := strings.Cut(rest, "{")
		if literal != "" {
			p.places = append(p.places, place{literal: literal})
			length += len(literal)
		}
		if !opened {
			break
		}
		name, after, closed := strings.Cut(named, "}")
		if !closed || !isName(name) {
			return nil, fmt.Sprintf("has %q, which is not a name in braces", rest[len(literal):])
		}
		known, own := ownNames[name]
		if !own {
			known.width = maxValue
			if slices.Contains(p.Values, name) {
				return nil, fmt.Sprintf("has {%s} twice", name)
			}
			p.Values = append(p.Values, name)
		}
		p.places = append(p.places, place{name: name})
		length += known.width
		rest = after
	}
	if length > maxKey {
		return nil, "may make keys of more than 1,024 bytes"
	}
	return p, p.problem()
}

func (p *Pattern) problem() string {
	switch strings.Count(p.Text, "{random}") + strings.Count(p.Text, "{id}") {
	case 0:
		return "must have {random}, so that keys are unique"
	case 1:
	default:
		return "has {random} twice"
	}
	if before, after, found := strings.Cut(p.Text, "{ext}"); found && (after != "" || !strings.HasSuffix(before, "{random}") && !strings.HasSuffix(before, "{id}")) {
		return "may have {ext} only at its end, after {random}"
	}
	for segment := range strings.SplitSeq(p.Text, "/") {
		if segment == "" || segment[0] == '.' || strings.HasSuffix(segment, ".") {
			return `must not have a segment that is empty or begins or ends with "."`
		}
		named := 0
		for _, name := range p.Values {
			named += strings.Count(segment, "{"+name+"}")
		}
		if named > 1 {
			return fmt.Sprintf("has two values in the segment %q, so 1 and 23 would make the same key as 12 and 3", segment)
		}
	}
	for _, pl := range p.places {
		if i := strings.IndexFunc(pl.literal, func(r rune) bool { return r != '/' && !IsSafe(r) }); i >= 0 {
			return fmt.Sprintf(`has %q: only letters, digits, "-", "_", "." and "/" are allowed outside braces`, pl.literal)
		}
	}
	return ""
}

func isName(name string) bool {
	for i, r := range name {
		if (r < 'a' || r > 'z') && (i == 0 || r != '_' && (r < '0' || r > '9')) {
			return false
		}
	}
	return name != ""
}

// IsSafe reports whether a value may have r.
func IsSafe(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.'
}

// Check checks that there is a valid value for each name, and no other value. It returns the name of one
// that is not, and a sentence about it, or "".
func (p *Pattern) Check(values map[string]string) (name, flaw string) {
	for name := range values {
		if name != User && !slices.Contains(p.Values, name) {
			return name, "This value is not part of the file's key."
		}
	}
	for _, name := range p.Values {
		value, given := values[name]
		switch {
		case !given || value == "":
			return name, "This value is missing."
		case len(value) > maxValue:
			return name, "This value is longer than 128 characters."
		case value[0] == '.' || strings.HasSuffix(value, ".") || strings.ContainsFunc(value, func(r rune) bool { return !IsSafe(r) }):
			return name, `This value may have only letters, digits, "-", "_" and ".", and must not begin or end with ".".`
		}
	}
	return "", ""
}

// Key fills the pattern. The values have been checked.
func (p *Pattern) Key(values map[string]string, at time.Time, random Random, extension string) string {
	var b strings.Builder
	for _, pl := range p.places {
		switch pl.name {
		case "":
			b.WriteString(pl.literal)
		case "yyyy":
			fmt.Fprintf(&b, "%04d", at.UTC().Year())
		case "mm":
			fmt.Fprintf(&b, "%02d", at.UTC().Month())
		case "dd":
			fmt.Fprintf(&b, "%02d", at.UTC().Day())
		case "random":
			b.WriteString(random.String())
		case "id":
			b.WriteString(timeid.New(at, random))
		case "ext":
			if IsExtension(extension) {
				b.WriteString(extension)
			}
		default:
			b.WriteString(values[pl.name])
		}
	}
	return b.String()
}

// Ordered reports whether the keys are in the order of their IDs: the pattern is fixed text, {id} and perhaps
// {ext}. It returns the text.
func (p *Pattern) Ordered() (before string, ordered bool) {
	before, after, found := strings.Cut(p.Text, "{id}")
	return before, found && !strings.Contains(before, "{") && (after == "" || after == "{ext}")
}

// ID returns the ID in a key that a pattern whose keys are in the order of IDs could have made, or "".
func (p *Pattern) ID(key string) string {
	if _, ordered := p.Ordered(); ordered && p.Matches(key, nil) {
		return IDIn(key)
	}
	return ""
}

// IDIn returns the ID in a key that any pattern whose keys are in the order of IDs could have made, or "".
func IDIn(key string) string {
	stem := strings.TrimSuffix(key, path.Ext(key))
	if id := stem[max(0, len(stem)-timeid.Length):]; timeid.Valid(id) {
		return id
	}
	return ""
}

// Matches reports whether the pattern could have made key from these values.
func (p *Pattern) Matches(key string, values map[string]string) bool {
	for _, pl := range p.places {
		want := pl.literal
		switch known, own := ownNames[pl.name]; {
		case pl.name == "ext": // at the end, and shorter
			return IsExtension(key)
		case own:
			if len(key) < known.width || !known.valid(key[:known.width]) {
				return false
			}
			want = key[:known.width]
		case pl.name != "":
			want = values[pl.name]
		}
		if !strings.HasPrefix(key, want) {
			return false
		}
		key = key[len(want):]
	}
	return key == ""
}

// IsExtension accepts any extension that detection could return, because other types
// may have been allowed when the file was stored. Some types have none.
func IsExtension(text string) bool {
	name, pointed := strings.CutPrefix(text, ".")
	if !pointed {
		return text == ""
	}
	return name != "" && len(text) <= maxSuffix && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
}
