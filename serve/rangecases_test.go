package serve_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// rangeCase returns a case that requests the ranges in value.
func rangeCase(name, value string) contentCase {
	return contentCase{name: "range/" + name, header: map[string]string{"Range": value}}
}

// The function of returns the case, but for the object with this key.
func of(key string, c contentCase) contentCase {
	c.key = key
	c.name += "/of " + key
	return c
}

// asking returns the case with the method GET, and with the calls of the driver that this GET
// needs. A HEAD always needs one call.
func asking(c contentCase, calls ...string) contentCase {
	c.method = http.MethodGet
	c.calls = calls
	return c
}

// withHead returns the case with the method HEAD.
func withHead(c contentCase) contentCase {
	c.method = http.MethodHead
	return c
}

// spacedRanges returns a Range header with n ranges of length bytes. Each begins step bytes after the one before it.
func spacedRanges(n, length, step int) string {
	ranges := make([]string, n)
	for i := range ranges {
		ranges[i] = fmt.Sprintf("%d-%d", i*step, i*step+length-1)
	}
	return "bytes=" + strings.Join(ranges, ",")
}

// A range past the end takes three requests. The store refuses the range. Then the engine asks for
// the attributes, and then Object asks, too. Only a client's mistake causes this.
var pastTheEnd = []string{"Get", "Head", "Head"}

var rangeCases = []contentCase{
	{name: "whole"},
	of("plain", contentCase{name: "whole"}),
	of("empty", contentCase{name: "whole"}),
	of("large", contentCase{name: "whole"}),
	{name: "whole/POST", method: http.MethodPost},
	{name: "whole/DELETE", method: http.MethodDelete},

	rangeCase("first byte", "bytes=0-0"),
	rangeCase("last byte", "bytes=999-999"),
	rangeCase("middle", "bytes=100-199"),
	rangeCase("all of it", "bytes=0-999"),
	rangeCase("all of it, open", "bytes=0-"),
	rangeCase("to the end", "bytes=500-"),
	rangeCase("beyond the end", "bytes=990-2000"),
	rangeCase("beyond all ends", "bytes=5-9223372036854775807"),
	rangeCase("everything and beyond", "bytes=0-9223372036854775807"),
	rangeCase("suffix", "bytes=-100"),
	rangeCase("suffix of one", "bytes=-1"),
	rangeCase("suffix of all", "bytes=-1000"),
	rangeCase("suffix longer than the object", "bytes=-5000"),
	rangeCase("suffix longer than any object", "bytes=-9223372036854775807"),
	rangeCase("with spaces", "bytes= 1 - 5 "),
	rangeCase("with empty elements", "bytes=,1-5,,"),
	{name: "range/POST", method: http.MethodPost, header: map[string]string{"Range": "bytes=1-5"}},

	asking(bare(rangeCase("at the end", "bytes=10-")), "Get"),
	asking(bare(rangeCase("past the end", "bytes=11-")), pastTheEnd...),
	asking(bare(rangeCase("past the end, bounded", "bytes=5000-6000")), pastTheEnd...),
	asking(bare(rangeCase("several past the end", "bytes=5000-6000,7000-")), pastTheEnd...),
	withHead(bare(rangeCase("past the end", "bytes=5000-6000"))),

	ofNothing("first byte", "bytes=0-0"),
	ofNothing("open", "bytes=0-"),
	ofNothing("one of several", "bytes=0-,5-"),
	asking(ofNothing("past the end", "bytes=5-"), pastTheEnd...),
	of("gzip.gz", rangeCase("stored bytes", "bytes=10-19")),

	anotherUnit("none", "0-5"),
	anotherUnit("of something else", "items=0-5"),
	anotherUnit("in upper case", "BYTES=0-5"),
	malformed("backwards", "bytes=5-3"),
	malformed("no dash", "bytes=5"),
	malformed("letters", "bytes=a-b"),
	malformed("letters after", "bytes=0-b"),
	malformed("two dashes", "bytes=0--5"),
	malformed("a suffix of a suffix", "bytes=--5"),
	malformed("only a dash", "bytes=-"),
	malformed("fraction", "bytes=0.5-3"),
	malformed("with a plus sign", "bytes=+1-+5"),
	malformed("past the end", "bytes=5000-x"),
	malformed("past the end, backwards", "bytes=5000-4000"),
	malformed("one of several", "bytes=0-5,x"),
	longNumber("the end", "bytes=990-99999999999999999999", "bytes 990-999/1000"),
	longNumber("a suffix", "bytes=-99999999999999999999", "bytes 0-999/1000"),
	{
		name:    "range/a number of 20 digits, the beginning",
		method:  http.MethodGet,
		header:  map[string]string{"Range": "bytes=99999999999999999999-"},
		calls:   pastTheEnd,
		differs: "RFC 9110, section 14.1.1, bounds no number; ServeContent answers without Content-Range",
		want: func(a answer, t *testing.T) {
			requireNoOverlap(t, a, "bytes */1000")
		},
	},
	rangeCase("of nothing at all", "bytes="),
	rangeCase("of nothing but commas", "bytes=,,"),

	rangeCase("several", "bytes=0-9,20-29"),
	rangeCase("several, adjacent", "bytes=0-9,10-19"),
	rangeCase("several, one to the end", "bytes=0-9,900-"),
	rangeCase("several, one past the end", "bytes=0-9,5000-"),
	asking(rangeCase("several, a suffix after", "bytes=0-9,-10"), "Get", "Get"),
	withHead(rangeCase("several, a suffix after", "bytes=0-9,-10")),
	asking(rangeCase("several, a suffix first", "bytes=-10,0-9"), "Get", "Get"),
	asking(rangeCase("several, backwards", "bytes=20-29,0-9"), "Get", "Get"),
	asking(rangeCase("several, the first one past the end", "bytes=5000-,0-9"),
		append(pastTheEnd[:3:3], "Get")...),
	asking(rangeCase("several, overlapping", "bytes=0-9,5-14"), "Get", "Get"),
	asking(rangeCase("several, the same twice", "bytes=3-4,3-4"), "Get", "Get"),
	asking(rangeCase("several, more than there is", "bytes=0-999,0-0"), "Get"),
	asking(rangeCase("several, more than there is, backwards", "bytes=500-999,0-999"), "Get", "Get"),
	rangeCase("a hundred", spacedRanges(100, 1, 10)),
	asking(rangeCase("10,000 times the first byte", spacedRanges(10_000, 1, 0)), "Get", "Get"),
	rangeCase("10,000, most of them past the end", spacedRanges(10_000, 1, 2)),
	of("large", rangeCase("10,000 in a large object", spacedRanges(10_000, 1, 100))),
	asking(of("large", rangeCase("four, almost 1 MiB between them, in a large object", spacedRanges(4, 1, 1<<20))),
		"Get", "Get", "Get"),
	asking(of("large", rangeCase("far apart", "bytes=0-9,3000000-3000009,3000020-3000029")), "Get", "Get"),

	{
		name:    "range/past the end, of an object with a disposition",
		method:  http.MethodGet,
		header:  map[string]string{"Range": "bytes=5000-"},
		calls:   pastTheEnd,
		differs: "a browser would save the error under the object's name; ServeContent leaves Content-Disposition and Content-Language",
		want: func(a answer, t *testing.T) {
			require.Equal(t, http.StatusRequestedRangeNotSatisfiable, a.status)
			require.Equal(t, "bytes */1000", a.header.Get("Content-Range"))
			require.Empty(t, a.header.Get("Content-Disposition"))
			require.Empty(t, a.header.Get("Content-Language"))
		},
	},
	{
		name:    "range/suffix of nothing",
		header:  map[string]string{"Range": "bytes=-0"},
		calls:   []string{"Head"},
		differs: "RFC 9110, section 14.1.2: it is unsatisfiable; ServeContent answers with the invalid Content-Range bytes 1000-999/1000",
		want: func(a answer, t *testing.T) {
			require.Equal(t, http.StatusRequestedRangeNotSatisfiable, a.status)
			require.Equal(t, "bytes */1000", a.header.Get("Content-Range"))
		},
	},
	{
		name:    "range/suffix of an empty object",
		key:     "empty",
		header:  map[string]string{"Range": "bytes=-5"},
		differs: "nothing can be a part of nothing; ServeContent answers with the invalid Content-Range bytes 0--1/0",
		want: func(a answer, t *testing.T) {
			require.Equal(t, http.StatusOK, a.status)
			require.Empty(t, a.header.Get("Content-Range"))
			require.Zero(t, a.length)
		},
	},
	{
		name:    "whole/of gzip.gz",
		key:     "gzip.gz",
		differs: "ServeContent tells no length where there is a Content-Encoding, for it may be that of a writer that compresses; ours is the object's",
		want: func(a answer, t *testing.T) {
			require.Equal(t, http.StatusOK, a.status)
			require.Equal(t, "gzip", a.header.Get("Content-Encoding"))
			require.EqualValues(t, 10_000, a.length)
		},
	},
	{
		name:    "range/with much between them, in more than 16 pieces",
		key:     "large",
		method:  http.MethodGet,
		header:  map[string]string{"Range": spacedRanges(10_000, 1, 300)},
		calls:   []string{"Get", "Get"},
		differs: "what is between them would be read for nothing: the whole object is one request, and no byte of it is",
		want: func(a answer, t *testing.T) {
			require.Equal(t, http.StatusOK, a.status)
			require.EqualValues(t, 4<<20, a.length)
		},
	},
	{
		name:    "range/backwards, in more than 16 pieces",
		method:  http.MethodGet,
		header:  map[string]string{"Range": "bytes=" + strings.Repeat("1-1,0-0,", 20)},
		calls:   []string{"Get", "Get"},
		differs: "each piece would be a request to the store; the whole object is one",
		want: func(a answer, t *testing.T) {
			require.Equal(t, http.StatusOK, a.status)
			require.EqualValues(t, 1000, a.length)
		},
	},
}

// anotherUnit returns a case of a range in an unknown unit. A server must ignore such a range.
func anotherUnit(name, value string) contentCase {
	c := rangeCase("another unit, "+name, value)
	c.differs = "RFC 9110, section 14.2, has a server ignore units that it does not know; ServeContent refuses them"
	c.want = func(a answer, t *testing.T) {
		require.Equal(t, http.StatusOK, a.status)
		require.EqualValues(t, 1000, a.length)
	}
	return c
}

// malformed returns a case of a malformed range. Object ignores such a range.
func malformed(name, value string) contentCase {
	c := bare(rangeCase("malformed, "+name, value))
	c.differs = "Amazon S3 ignores them, as RFC 9110, section 14.2, permits; ServeContent refuses them"
	c.want = func(a answer, t *testing.T) {
		require.Equal(t, http.StatusOK, a.status)
		require.EqualValues(t, 10, a.length)
	}
	return c
}

// longNumber returns a case of a range with a number that is too large for an int64.
func longNumber(name, value, contentRange string) contentCase {
	c := rangeCase("a number of 20 digits, "+name, value)
	c.differs = "RFC 9110, section 14.1.2: the rest of the object; ServeContent refuses it"
	c.want = func(a answer, t *testing.T) {
		require.Equal(t, http.StatusPartialContent, a.status)
		require.Equal(t, contentRange, a.header.Get("Content-Range"))
	}
	return c
}

// ofNothing returns a case of a range of the empty object.
func ofNothing(name, value string) contentCase {
	c := of("empty", rangeCase(name, value))
	c.differs = "RFC 9110, section 14.1.2: there is no such byte, and Amazon S3 refuses the range; ServeContent ignores it"
	c.want = func(a answer, t *testing.T) {
		requireNoOverlap(t, a, "bytes */0")
	}
	return c
}

// requireNoOverlap requires that the ranges were refused, because the object has none of their
// bytes.
func requireNoOverlap(t *testing.T, a answer, contentRange string) {
	require.Equal(t, http.StatusRequestedRangeNotSatisfiable, a.status)
	require.Equal(t, contentRange, a.header.Get("Content-Range"))
}

// bare returns the case, but for the object that has neither a disposition nor a language.
func bare(c contentCase) contentCase {
	c.key = "plain"
	return c
}
