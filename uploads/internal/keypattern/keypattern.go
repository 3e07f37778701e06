// Package keypattern makes the keys of files from a pattern: fixed text, values of the application,
// and random text that nobody can guess.
package keypattern

import (
	"cmp"
	"encoding/base32"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/omnibucket/storage/uploads/internal/timeid"
)

const (
	maxValue = 128  // bytes
	maxKey   = 1024 // bytes; stores allow no longer keys
)

// User is the name in braces that stands for the user's ID. A pattern may lack it.
const User = "user"

// A Random is the random part of a key, which makes the key unique.
type Random [16]byte

// String returns r as 26 letters and digits.
func (r Random) String() string { return randomText.EncodeToString(r[:]) }

// IsRandom reports whether text has the form that Random.String returns.
func IsRandom(text string) bool { return randoms.MatchString(text) }

// randomText encodes 16 bytes as 26 characters. They are all lower case, so that file systems that
// ignore case can distinguish them, too.
var randomText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// An element is a part of a pattern: either fixed text (literal) or a name in braces.
type element struct{ literal, name string }

// A Pattern makes keys from values. Two different sets of values never make the same key, because
// the values can be read from the key. Each segment of the key contains at most one value, and all
// other text in the segment has a known form.
type Pattern struct {
	Text     string
	Values   []string // names in braces whose values the application sets
	elements []element
	// keys matches all keys of the pattern, with one group for each name in Values. It is compiled when it is
	// needed, because that takes longer than all else in uploads.New.
	keys func() *regexp.Regexp
}

// ownNames lists the names in braces whose values this package sets. Each name has the greatest
// length of its values in bytes, and a regular expression that matches all its values. The
// expression for "ext" matches any extension, or none. It is not limited to the types that are
// allowed now, because other types may have been allowed earlier.
var ownNames = map[string]struct {
	width      int
	expression string
}{
	"yyyy":   {4, `[0-9]{4}`},
	"mm":     {2, `[0-9]{2}`},
	"dd":     {2, `[0-9]{2}`},
	"random": {26, `[a-z2-7]{26}`},
	"id":     {timeid.Length, timeid.Pattern},
	"newest": {timeid.Length, timeid.Pattern},
	"ext":    {16, `(?:\.[a-z0-9]{1,15})?`},
}

var (
	randoms    = whole(ownNames["random"].expression)
	extensions = whole(ownNames["ext"].expression)
	names      = whole(`[a-z][a-z0-9_]*`)
)

// whole compiles an expression that must match a whole text.
func whole(expression string) *regexp.Regexp { return regexp.MustCompile("^" + expression + "$") }

// parseElements splits the text of a pattern, or returns the rule that it breaks.
func parseElements(text string) (elements []element, brokenRule string) {
	for {
		// Take the literal text before the next brace.
		literal, inner, hasName := strings.Cut(text, "{")
		if literal != "" {
			elements = append(elements, element{literal: literal})
		}
		if !hasName {
			return elements, ""
		}

		// Take the name in the braces.
		name, rest, isClosed := strings.Cut(inner, "}")
		if !isClosed || !names.MatchString(name) {
			return nil, fmt.Sprintf("has %q, which is not a name in braces", "{"+inner)
		}
		_, isOwn := ownNames[name]
		if !isOwn && slices.Contains(elements, element{name: name}) {
			return nil, fmt.Sprintf("has {%s} twice", name)
		}
		elements = append(elements, element{name: name})
		text = rest
	}
}

// Parse parses the text of a pattern, which names variables in braces, or returns the rule that it breaks.
func Parse(text string) (pattern *Pattern, brokenRule string) {
	elements, brokenRule := parseElements(text)
	if brokenRule != "" {
		return nil, brokenRule
	}

	// Find the names that the application sets, the length of the longest key, and a regular expression that
	// matches all keys.
	p := &Pattern{Text: text, elements: elements}
	length := 0
	expression := ""
	for _, element := range elements {
		variable, isOwn := ownNames[element.name]
		switch {
		case element.literal != "":
			length += len(element.literal)
			expression += regexp.QuoteMeta(element.literal)
		case isOwn:
			length += variable.width
			expression += variable.expression
		default:
			p.Values = append(p.Values, element.name)
			length += maxValue
			expression += "([^/]*)"
		}
	}

	if length > maxKey {
		return nil, "may make keys of more than 1,024 bytes"
	}
	if rule := p.problem(); rule != "" {
		return nil, rule
	}

	// Compile the expression only when it is first needed.
	p.keys = sync.OnceValue(func() *regexp.Regexp {
		return whole(expression)
	})
	return p, ""
}

// uniques lists the names that make a key unique. A pattern must have exactly one of them.
var uniques = []string{"{random}", "{id}", "{newest}"}

// problem returns the rule that the pattern breaks, or "" if it breaks none.
func (p *Pattern) problem() string {
	return cmp.Or(p.randomProblem(), p.extensionProblem(), p.segmentProblem(), p.textProblem())
}

// randomProblem returns a rule unless the pattern has exactly one random part, which makes a key unique.
func (p *Pattern) randomProblem() string {
	randomParts := 0
	for _, name := range uniques {
		randomParts += strings.Count(p.Text, name)
	}
	if randomParts == 0 {
		return "must have {random}, so that keys are unique"
	}
	if randomParts > 1 {
		return "has {random} twice"
	}
	return ""
}

// extensionProblem returns a rule if {ext} is not at the end of the pattern, after the random part.
func (p *Pattern) extensionProblem() string {
	before, after, hasExtension := strings.Cut(p.Text, "{ext}")
	if !hasExtension {
		return ""
	}
	endsUnique := slices.ContainsFunc(uniques, func(name string) bool { return strings.HasSuffix(before, name) })
	if after != "" || !endsUnique {
		return "may have {ext} only at its end, after {random}"
	}
	return ""
}

// segmentProblem returns a rule if a segment could not be part of a key, or has values that cannot be told apart.
func (p *Pattern) segmentProblem() string {
	for segment := range strings.SplitSeq(p.Text, "/") {
		if segment == "" || segment[0] == '.' || strings.HasSuffix(segment, ".") {
			return `must not have a segment that is empty or begins or ends with "."`
		}
		values := 0
		for _, name := range p.Values {
			values += strings.Count(segment, "{"+name+"}")
		}
		if values > 1 {
			return fmt.Sprintf("has two values in the segment %q, so 1 and 23 would make the same key as 12 and 3", segment)
		}
	}
	return ""
}

// textProblem returns a rule if the text outside braces has a character that is not allowed.
func (p *Pattern) textProblem() string {
	isForbidden := func(r rune) bool {
		return r != '/' && !IsSafe(r)
	}
	for _, element := range p.elements {
		if strings.ContainsFunc(element.literal, isForbidden) {
			return fmt.Sprintf(
				`has %q: only letters, digits, "-", "_", "." and "/" are allowed outside braces`,
				element.literal,
			)
		}
	}
	return ""
}

// IsSafe reports whether a value may contain r.
func IsSafe(r rune) bool {
	isLetter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	isDigit := '0' <= r && r <= '9'
	return isLetter || isDigit || r == '-' || r == '_' || r == '.'
}

// Check checks that each name of the pattern has a valid value, and no other name has one. Otherwise it
// returns a name that is wrong, and a sentence that says why.
func (p *Pattern) Check(values map[string]string) (name, flaw string) {
	for name := range values {
		if name != User && !slices.Contains(p.Values, name) {
			return name, "This value is not part of the file's key."
		}
	}
	for _, name := range p.Values {
		value, ok := values[name]
		if !ok || value == "" {
			return name, "This value is missing."
		}
		if len(value) > maxValue {
			return name, "This value is longer than 128 characters."
		}
		hasUnsafe := strings.ContainsFunc(value, func(r rune) bool { return !IsSafe(r) })
		if hasUnsafe || strings.HasPrefix(value, ".") || strings.HasSuffix(value, ".") {
			return name, `This value may have only letters, digits, "-", "_" and ".", and must not begin or end with ".".`
		}
	}
	return "", ""
}

// Key returns the key that the pattern makes from a time, random bits, an extension and values that Check
// has accepted.
func (p *Pattern) Key(values map[string]string, t time.Time, random Random, extension string) string {
	var b strings.Builder
	for _, element := range p.elements {
		switch element.name {
		case "":
			b.WriteString(element.literal)
		case "yyyy":
			fmt.Fprintf(&b, "%04d", t.UTC().Year())
		case "mm":
			fmt.Fprintf(&b, "%02d", t.UTC().Month())
		case "dd":
			fmt.Fprintf(&b, "%02d", t.UTC().Day())
		case "random":
			b.WriteString(random.String())
		case "id":
			b.WriteString(timeid.New(t, random))
		case "newest":
			b.WriteString(timeid.Newest(t, random))
		case "ext":
			if IsExtension(extension) {
				b.WriteString(extension)
			}
		default:
			b.WriteString(values[element.name])
		}
	}
	return b.String()
}

// Ordered reports whether keys sort by their IDs, because the pattern is fixed text followed by {id} and
// perhaps {ext}. It also returns the fixed text before the ID.
func (p *Pattern) Ordered() (before string, ordered bool) {
	before, after, hasID := strings.Cut(p.Text, "{id}")
	isFixed := !strings.Contains(before, "{")
	isLast := after == "" || after == "{ext}"
	return before, hasID && isFixed && isLast
}

// ID returns the ID in a key, or "" if the pattern cannot have made the key or does not make keys that sort
// by ID.
func (p *Pattern) ID(key string) string {
	_, isOrdered := p.Ordered()
	if !isOrdered || !p.Matches(key, nil) {
		return ""
	}
	return IDIn(key)
}

// IDIn returns the ID at the end of a key, before the extension, or "" if there is none.
func IDIn(key string) string {
	stem := strings.TrimSuffix(key, path.Ext(key))
	id := stem[max(0, len(stem)-timeid.Length):]
	if !timeid.Valid(id) {
		return ""
	}
	return id
}

// Matches reports whether the pattern could have made key from these values.
func (p *Pattern) Matches(key string, values map[string]string) bool {
	texts, isKey := p.textsIn(key)
	if !isKey {
		return false
	}
	for i, name := range p.Values {
		if texts[i] != values[name] {
			return false
		}
	}
	return true
}

// textsIn returns the texts in a key in place of p.Values, in the same order, or false if the pattern cannot have made
// the key.
func (p *Pattern) textsIn(key string) (texts []string, isKey bool) {
	match := p.keys().FindStringSubmatch(key)
	if match == nil {
		return nil, false
	}
	return match[1:], true // the first text is the whole key
}

// Stem returns a key without the extension that {ext} has added. It is still unique, because it ends with
// the random part.
func (p *Pattern) Stem(key string) string {
	extension := path.Ext(key)
	if extension == "" || !strings.HasSuffix(p.Text, "{ext}") || !IsExtension(extension) {
		return key
	}
	return strings.TrimSuffix(key, extension)
}

// Owner returns the text in place of {user} in a key, or "" if the pattern has no {user} or cannot have made
// the key.
func (p *Pattern) Owner(key string) string {
	i := slices.Index(p.Values, User)
	if i < 0 {
		return ""
	}
	texts, isKey := p.textsIn(key)
	if !isKey {
		return ""
	}
	return texts[i]
}

// OwnersPrefix returns the longest prefix that all keys of a user have in common.
func (p *Pattern) OwnersPrefix(user string) string {
	prefix := ""
	for _, element := range p.elements {
		switch element.name {
		case "": // fixed text
			prefix += element.literal
		case User:
			prefix += user
		default: // a value that may differ in each key
			return prefix
		}
	}
	return prefix
}

// IsExtension reports whether text can replace {ext} at the end of a key.
func IsExtension(text string) bool { return extensions.MatchString(text) }

// ExtensionOf returns the extension of a name in lower case, or "" if a key may not have it.
func ExtensionOf(name string) string {
	extension := strings.ToLower(path.Ext(name))
	if !IsExtension(extension) {
		return ""
	}
	return extension
}
