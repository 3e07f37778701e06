package resumable_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/resumable"
)

func TestARefusedClientThatSendsSlowlyIsCutOff(t *testing.T) {
	handler, err := resumable.NewHandler(memstore.New(), configured(resumable.Config{}))
	require.NoError(t, err)
	wiretest.RefusesSlowBody(t, handler, "/s3/multipart")
}

// A client that sends some bytes to an upload that is not there, and then nothing, is not kept waiting.
func TestARefusedTusClientThatStallsGetsTheResponseAtOnce(t *testing.T) {
	s := newSite(t, inMemory(t), resumable.Config{})
	stuck, began := newStuckBody(content(100)), time.Now()
	defer stuck.end()
	a := <-s.patchAndStall("/tus/AAAAAAAAAAAAAAAAAAAAAAAAAA", stuck)
	require.Equal(t, "404 not_found uploadId", a.refusal(t))
	require.Less(t, time.Since(began), 4*time.Second)
}
