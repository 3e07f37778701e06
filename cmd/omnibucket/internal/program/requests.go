package program

import (
	"fmt"

	"github.com/omnibucket/storage/cmd/omnibucket/internal/console"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/layers/meter"
)

// startMeter creates the meter of --requests, which all buckets share. It is their innermost layer, so
// that it counts the requests that reach a store.
func (s *Stores) startMeter() {
	if !s.flags.requests {
		return
	}

	s.Buckets.mu.Lock()
	defer s.Buckets.mu.Unlock()
	if s.Buckets.meter == nil {
		s.Buckets.meter = meter.New()
	}
	s.layers = append([]driver.Layer{s.Buckets.meter.Layer()}, s.layers...)
}

// requestCounts is the line of JSON that SummarizeRequests prints with --json.
type requestCounts struct {
	Event    string `json:"event"` // "requests"
	Reads    int64  `json:"reads"`
	Writes   int64  `json:"writes"`
	Lists    int64  `json:"lists"`
	Removals int64  `json:"removals"`
	Sent     int64  `json:"sent"`
	Received int64  `json:"received"`
}

// SummarizeRequests prints the counts of --requests, for "omnibucket run" those of all its lines.
func (p *Program) SummarizeRequests() {
	if p.Stores.Buckets.meter == nil {
		return
	}
	c := p.Stores.Buckets.meter.Counts()
	if p.Global.JSON {
		// p.Out keeps a write error.
		_ = p.Out.JSON(requestCounts{
			Event:    "requests",
			Reads:    c.Reads,
			Writes:   c.Writes,
			Lists:    c.Lists,
			Removals: c.Removals,
			Sent:     c.Sent,
			Received: c.Received,
		})
		return
	}
	_, _ = fmt.Fprintf(p.Around.Err, "requests: %d reads, %d writes, %d lists, %d removals; %s sent, %s received\n",
		c.Reads, c.Writes, c.Lists, c.Removals, console.FormatSize(c.Sent), console.FormatSize(c.Received))
}
