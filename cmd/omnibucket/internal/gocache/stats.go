package gocache

import (
	"encoding/json"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage/cmd/omnibucket/internal/console"
)

// stats counts what this process has done, for the flag --stats.
type stats struct {
	gets, localHits, remoteHits           atomic.Int64
	puts, putBytes                        atomic.Int64
	uploads, uploadedBytes, dropped       atomic.Int64
	downloadedBytes, remoteGets, failures atomic.Int64
}

// A statsLine is what --stats prints with --json.
type statsLine struct {
	Event         string  `json:"event"` // "gocache"
	Gets          int64   `json:"gets"`
	LocalHits     int64   `json:"localHits"`
	RemoteHits    int64   `json:"remoteHits"`
	Misses        int64   `json:"misses"`
	Puts          int64   `json:"puts"`
	PutBytes      int64   `json:"putBytes"`
	Downloads     int64   `json:"downloads"` // gets that asked the store
	Downloaded    int64   `json:"downloadedBytes"`
	Uploads       int64   `json:"uploads"`
	Uploaded      int64   `json:"uploadedBytes"`
	NotUploaded   int64   `json:"notUploaded"`
	Failures      int64   `json:"failures"`
	Seconds       float64 `json:"seconds"`
	SecondsAtLast float64 `json:"closeSeconds"` // how long the end waited for uploads
}

// print prints the numbers in one line. total is the time of the whole build, and closing that of the
// uploads at its end.
func (s *stats) print(w io.Writer, asJSON bool, total, closing time.Duration) {
	line := statsLine{
		Event:         "gocache",
		Gets:          s.gets.Load(),
		LocalHits:     s.localHits.Load(),
		RemoteHits:    s.remoteHits.Load(),
		Puts:          s.puts.Load(),
		PutBytes:      s.putBytes.Load(),
		Downloads:     s.remoteGets.Load(),
		Downloaded:    s.downloadedBytes.Load(),
		Uploads:       s.uploads.Load(),
		Uploaded:      s.uploadedBytes.Load(),
		NotUploaded:   s.dropped.Load(),
		Failures:      s.failures.Load(),
		Seconds:       total.Seconds(),
		SecondsAtLast: closing.Seconds(),
	}

	line.Misses = line.Gets - line.LocalHits - line.RemoteHits

	if asJSON {
		// Marshal never fails for numbers.
		text, _ := json.Marshal(line)
		_, _ = fmt.Fprintf(w, "%s\n", text)
		return
	}

	_, _ = fmt.Fprintf(w,
		"gocache: %d gets: %d from this machine, %d from the store (%s), %d misses; "+
			"%d puts (%s): %d uploaded (%s), %d not uploaded; %d failures; %.1f s, %.1f s of them for uploads at the end\n",
		line.Gets, line.LocalHits, line.RemoteHits, console.FormatSize(line.Downloaded), line.Misses,
		line.Puts, console.FormatSize(line.PutBytes), line.Uploads, console.FormatSize(line.Uploaded), line.NotUploaded,
		line.Failures, line.Seconds, line.SecondsAtLast)
}
