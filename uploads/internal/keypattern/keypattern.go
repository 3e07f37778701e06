// Package keypattern makes the keys of files from fixed text, values of the application, and random
// parts that nobody can guess. It knows neither files nor HTTP.
package keypattern

import (
	"encoding/base32"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage/internal/timeid"
)

const (
	maxValue = 128  // bytes
	maxKey   = 1024 // bytes; the limit of stores
)

// User is the place of the user's ID. A pattern need not have it.
const User = "user"

// A Random is the part of a key that makes it unique.
type Random [16]byte

// String returns r as 26 letters and digits.
func (r Random) String() string { return randomText.EncodeToString(r[:]) }

// IsRandom reports whether text can be a Random.
func IsRandom(text string) bool { return randoms.MatchString(text) }

// randomText encodes 16 bytes as 26 characters that no file system confuses, whether
// or not it ignores case.
var randomText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// A place is a part of a pattern: fixed text, or a name in braces.
type place struct{ literal, name string }

// A Pattern makes keys. A key can be read in only one way, because everything but the
// values has a known length and a segment has at most one value.
type Pattern struct {
	Text   string
	Values []string // the names that the application fills
	places []place
	keys   *regexp.Regexp // matches all keys of the pattern, with a group for each of Values
}

// ownNames has the names that this package fills, the length of their texts in bytes, at most, and a regular
// expression of those texts. An extension is any that detection could return, because other types may have been
// allowed when the file was stored. Some types have none.
var ownNames = map[string]struct {
	width int
	texts string
}{
	"yyyy": {4, `[0-9]{4}`}, "mm": {2, `[0-9]{2}`}, "dd": {2, `[0-9]{2}`},
	"random": {26, `[a-z2-7]{26}`},
	"id":     {timeid.Length, timeid.Pattern},
	"ext":    {16, `(?:\.[a-z0-9]{1,15})?`},
}

var (
	randoms    = whole(ownNames["random"].texts)
	extensions = whole(ownNames["ext"].texts)
	names      = whole(`[a-z][a-z0-9_]*`)
)

func whole(expression string) *regexp.Regexp { return regexp.MustCompile("^" + expression + "$") }

// Parse returns the pattern, or the rule that it breaks.
func Parse(text string) (*Pattern, string) {
	p := &Pattern{Text: text}
	length, expression := 0, ""
	for rest := text; rest != ""; {
		literal, named, opened := strings.Cut(rest, "{")
		if literal != "" {
			p.places = append(p.places, place{literal: literal})
			length += len(literal)
			expression += regexp.QuoteMeta(literal)
		}
		if !opened {
			break
		}
		name, after, closed := strings.Cut(named, "}")
		if !closed || !names.MatchString(name) {
			return nil, fmt.Sprintf("has %q, which is not a name in braces", rest[len(literal):])
		}
		known, own := ownNames[name]
		if !own {
			known.width, known.texts = maxValue, "([^/]*)"
			if slices.Contains(p.Values, name) {
				return nil, fmt.Sprintf("has {%s} twice", name)
			}
			p.Values = append(p.Values, name)
		}
		p.places = append(p.places, place{name: name})
		length += known.width
		expression += known.texts
		rest = after
	}
	if length > maxKey {
		return nil, "may make keys of more than 1,024 bytes"
	}
	if rule := p.problem(); rule != "" {
		return nil, rule
	}
	p.keys = whole(expression)
	return p, ""
}

func (p *Pattern) problem() string {
	switch strings.Count(p.Text, "{random}") + strings.Count(p.Text, "{id}") {
	case 0:
		return "must have {random}, so that keys are unique"
	case 1:
	default:
		return "has {random} twice"
	}
	if before, after, found := strings.Cut(p.Text, "{ext}"); found &&
		(after != "" || !strings.HasSuffix(before, "{random}") && !strings.HasSuffix(before, "{id}")) {
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
			return fmt.Sprintf(
				"has two values in the segment %q, so 1 and 23 would make the same key as 12 and 3", segment,
			)
		}
	}
	for _, pl := range p.places {
		if i := strings.IndexFunc(pl.literal, func(r rune) bool { return r != '/' && !IsSafe(r) }); i >= 0 {
			return fmt.Sprintf(
				`has %q: only letters, digits, "-", "_", "." and "/" are allowed outside braces`,
				pl.literal,
			)
		}
	}
	return ""
}

// IsSafe reports whether a value may have r.
func IsSafe(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.'
}

// Check checks that there is a valid value for each name, and no other value. It returns the first name
// that breaks this rule, and a sentence about it, or "".
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
		case value[0] == '.' || strings.HasSuffix(value, ".") ||
			strings.ContainsFunc(value, func(r rune) bool { return !IsSafe(r) }):
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
// {ext}. It returns the fixed text before the ID.
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

// Matches reports whether the pattern could have made key from values.
func (p *Pattern) Matches(key string, values map[string]string) bool {
	found := p.keys.FindStringSubmatch(key)
	for i, name := range p.Values {
		if found != nil && found[i+1] != values[name] {
			return false
		}
	}
	return found != nil
}

// IsExtension reports whether a key may end in text.
func IsExtension(text string) bool { return extensions.MatchString(text) }
