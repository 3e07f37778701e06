package gcs_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/gcs"
	"github.com/omnibucket/storage/storagetest/hostile"
)

func TestHostileStatuses(t *testing.T) {
	s := startRuleServer(t)
	bucket := s.bucket(ruleBucket{})
	hostile.RunStatuses(t, hostile.Store{
		Server: s,
		Open: func(t *testing.T, address string) storage.Driver {
			d, err := gcs.NewDriver(t.Context(), gcs.Config{Bucket: bucket, Endpoint: address})
			require.NoError(t, err)
			return d
		},
		Statuses: true,
	})
}
