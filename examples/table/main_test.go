package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/memstore"
)

// The program is the same in memory and on a directory.
func TestProgramInMemoryAndOnADirectory(t *testing.T) {
	directory := "file:///" + strings.TrimPrefix(filepath.ToSlash(filepath.Join(t.TempDir(), "bucket")), "/") + "?create=true"
	for _, address := range []string{"mem://table", directory} {
		var buf bytes.Buffer
		require.NoError(t, run(t.Context(), address, &buf))
		require.NoError(t, run(t.Context(), address, &buf))
		require.NoError(t, run(t.Context(), address, &buf))
		require.Equal(t, "version 41: alice has 20, bob has 80\nversion 82: alice has 40, bob has 160\nversion 123: alice has 60, bob has 240\n", buf.String())
	}
}

// If several processes spend from one account at the same time, they spend no more than it has.
func TestSpendOnlyOnce(t *testing.T) {
	const (
		balance   = 5
		processes = 8
	)
	bucket := memstore.New()
	first, err := openTable(t.Context(), bucket)
	require.NoError(t, err)
	require.NoError(t, first.transfer(t.Context(), "bank", "alice", balance))

	// Each process opens the table, and tries to transfer 1 from alice to bob.
	var paid atomic.Int32
	var all sync.WaitGroup
	for range processes {
		all.Go(func() {
			other, err := openTable(t.Context(), bucket)
			if err == nil && other.transfer(t.Context(), "alice", "bob", 1) == nil {
				paid.Add(1)
			}
		})
	}
	all.Wait()
	require.EqualValues(t, balance, paid.Load())

	// The first process reads the transfers of the others for its snapshot.
	require.NoError(t, first.snapshot(t.Context()))
	require.Equal(t, map[string]int{"bank": -5, "alice": 0, "bob": 5}, first.balances)
}

// A reader that is far behind continues with a snapshot.
func TestReaderFarBehindUsesASnapshot(t *testing.T) {
	bucket := memstore.New()
	behind, err := openTable(t.Context(), bucket)
	require.NoError(t, err)
	writer, err := openTable(t.Context(), bucket)
	require.NoError(t, err)
	for range 3 {
		require.NoError(t, writer.transfer(t.Context(), "bank", "alice", 1))
		require.NoError(t, writer.snapshot(t.Context()))
	}

	require.NoError(t, behind.transfer(t.Context(), "alice", "bob", 3))
	require.Equal(t, map[string]int{"bank": -3, "alice": 3}, behind.balances)
}
