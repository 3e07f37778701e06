package program

import (
	"fmt"

	"github.com/omnibucket/storage/cmd/omnibucket/internal/console"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/layers/meter"
)

// startMeter makes the meter of --requests, which all buckets share. It is innermost.
func (p *Program) startMeter() {
	if !p.Global.requests {
		return
	}
	p.Buckets.mu.Lock()
	defer p.Buckets.mu.Unlock()
	if p.Buckets.meter == nil {
		p.Buckets.meter = meter.New()
	}
	p.layers = append([]driver.Layer{p.Buckets.meter.Layer()}, p.layers...)
}

// requestCounts are a line of --json.
type requestCounts struct {
	Event    string `json:"event"` // "requests"
	Reads    int64  `json:"reads"`
	Writes   int64  `json:"writes"`
	Lists    int64  `json:"lists"`
	Removals int64  `json:"removals"`
	Sent     int64  `json:"sent"`
	Received int64  `json:"received"`
}

// SummarizeRequests prints the counts of --requests, of all lines of a file of run.
func (p *Program) SummarizeRequests() {
	if p.Buckets.meter == nil {
		return
	}
	c := p.Buckets.meter.Counts()
	if p.Global.JSON {
		_ = p.JSON(requestCounts{"requests", c.Reads, c.Writes, c.Lists, c.Removals, c.Sent, c.Received})
		return
	}
	_, _ = fmt.Fprintf(p.Around.Err, "requests: %d reads, %d writes, %d lists, %d removals; %s sent, %s received\n",
		c.Reads, c.Writes, c.Lists, c.Removals, console.FormatSize(c.Sent), console.FormatSize(c.Received))
}
