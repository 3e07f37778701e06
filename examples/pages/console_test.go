package pages

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/memstore"
)

// Only colleagues look into a bucket.
func TestLookIntoIsForColleagues(t *testing.T) {
	page, err := lookInto(memstore.New(), func(r *http.Request) bool { return r.Header.Get("Cookie") == "session=1" })
	require.NoError(t, err)
	for cookie, status := range map[string]int{"": http.StatusSeeOther, "session=1": http.StatusOK} {
		r := httptest.NewRequest(http.MethodGet, "https://support.example.com/", nil)
		r.Header.Set("Cookie", cookie)
		w := httptest.NewRecorder()
		page.ServeHTTP(w, r)
		require.Equal(t, status, w.Code)
	}
}
