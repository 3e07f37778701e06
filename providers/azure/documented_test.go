package azure_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/documented"
	"github.com/omnibucket/storage/providers/azure"
	"github.com/omnibucket/storage/storagetest"
)

// undisturbed has further cases, whose faults come after the reads that only Azure's driver makes.
var undisturbed = map[string]string{
	"an upload that is canceled while it begins leaves nothing":                       countsReads,
	"a stream that fails after a copy by the server may have taken effect is unknown": countsReads,
}

const countsReads = "the case counts reads, too"

// Azurite, and the transient answers that Azure documents.
func TestFurtherConformanceWithAzuresTransientAnswers(t *testing.T) {
	t.Setenv("OMNIBUCKET_SUPPORT", "") // the table has no column for it
	emulator := needAzurite(t)
	at, err := url.Parse(emulator.endpoint)
	require.NoError(t, err)
	connections := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64, IdleConnTimeout: 2 * time.Second} // Azurite closes them after 5 s
	also := maps.Clone(unjudged)
	maps.Copy(also, undisturbed)
	answering := documented.New(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = at.Scheme, at.Host, at.Host
		},
		Transport: connections,
	}, documented.AzureKind, documented.Azure)
	front := httptest.NewServer(answering)
	t.Cleanup(front.Close)
	storagetest.RunDriver(t, func(t *testing.T) storage.Driver {
		t.Cleanup(connections.CloseIdleConnections) // they would be goroutines that the suite reports
		container := emulator.container(t)
		answering.Add(t, container)
		d, err := azure.NewDriver(t.Context(), azure.Config{Bucket: container, Endpoint: front.URL + at.Path})
		require.NoError(t, err)
		return d
	}, append(documented.Skips(also), storagetest.WithName("azure (Azurite)"))...)
	answering.RequireAllGiven(t, "PUT tags", "GET blocklist", "DELETE tags") // of few requests
}
