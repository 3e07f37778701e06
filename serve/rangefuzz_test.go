package serve_test

import (
	"mime"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/serve"
)

// suffixOfNothing matches ranges for which Object and http.ServeContent differ. The table
// rangeCases says why.
var suffixOfNothing = regexp.MustCompile(`(^|[=,])\s*-\s*\+?0+\s*(,|$)`)

// signOrLongNumber matches a number that either Object or http.ServeContent accepts, but not both.
var signOrLongNumber = regexp.MustCompile(`\+|[0-9]{19}`)

const manyPieces = 16

// FuzzObjectRespondsLikeServeContent sends any ranges and conditions to Object. The response must
// be that of http.ServeContent.
func FuzzObjectRespondsLikeServeContent(f *testing.F) {
	for _, c := range rangeCases {
		f.Add(c.header["Range"], "", "")
	}
	for _, c := range conditionCases {
		f.Add("bytes=1-2", c.header["If-None-Match"], c.header["If-Match"])
	}

	b := memstore.New()
	const data = "0123456789abcdefghij"
	attrs, err := b.Upload(f.Context(), "key", strings.NewReader(data))
	require.NoError(f, err)

	f.Fuzz(func(t *testing.T, ranges, ifNoneMatch, ifMatch string) {
		hasOtherUnit := ranges != "" && !strings.HasPrefix(ranges, "bytes=")
		hasManyPieces := strings.Count(ranges, ",") > manyPieces
		hasOddNumber := suffixOfNothing.MatchString(ranges) || signOrLongNumber.MatchString(ranges)
		if hasOtherUnit || hasManyPieces || hasOddNumber {
			t.Skip("differs on purpose")
		}

		// respond returns the response of a handler, with a fixed boundary between parts.
		respond := func(handle http.HandlerFunc) (status int, header http.Header, body string) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header = http.Header{"Range": {ranges}, "If-None-Match": {ifNoneMatch}, "If-Match": {ifMatch}}
			w := httptest.NewRecorder()
			handle(w, r)

			body = w.Body.String()
			_, parameters, _ := mime.ParseMediaType(w.Header().Get("Content-Type")) // none if there is no body
			if boundary := parameters["boundary"]; boundary != "" {
				body = strings.ReplaceAll(body, boundary, "BOUNDARY")
				w.Header().Set("Content-Type", "multipart")
			}
			return w.Code, w.Header(), body
		}

		status, header, body := respond(func(w http.ResponseWriter, r *http.Request) {
			serve.Object(w, r, b, "key")
		})
		wantStatus, wantHeader, wantBody := respond(func(w http.ResponseWriter, r *http.Request) {
			serveContent(w, r, attrs, []byte(data))
		})

		// An invalid range is ignored, as RFC 9110 permits. http.ServeContent refuses it.
		if wantStatus == http.StatusRequestedRangeNotSatisfiable && status != wantStatus {
			require.Equal(t, http.StatusOK, status)
			require.Equal(t, data, body)
			return
		}

		require.Equal(t, wantStatus, status)
		require.Equal(t, wantHeader, header)
		require.Equal(t, wantBody, body)
	})
}
