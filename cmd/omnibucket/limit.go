package main

import (
	"errors"
	"os"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/bandwidth"
)

// startLimit makes the limit of --bwlimit, which all buckets share.
func (p *program) startLimit() error {
	if p.global.bwlimit == "" {
		return nil
	}
	timetable, err := bandwidth.Parse(p.global.bwlimit)
	var own *storage.Error
	if errors.As(err, &own) {
		return invalid("--bwlimit: "+own.Err.Error(), `use a rate such as 10M, or a timetable such as "08:00,512K 19:00,off"`)
	}
	if err != nil {
		return err
	}
	p.buckets.mu.Lock()
	defer p.buckets.mu.Unlock()
	layer, known := p.buckets.limits[p.global.bwlimit]
	if !known { // lines of run with the same flag share its limit
		layer = bandwidth.NewLimiter(timetable).Layer
		if p.buckets.limits == nil {
			p.buckets.limits = map[string]storage.Layer{}
		}
		p.buckets.limits[p.global.bwlimit] = layer
	}
	p.layers = append(p.layers, layer)
	return nil
}

// selectCredentials selects a profile of AWS's files, as the variable of AWS does.
func (p *program) selectCredentials() error {
	if p.global.awsProfile == "" {
		return nil
	}
	if p.inBatch && os.Getenv("AWS_PROFILE") != p.global.awsProfile { // other lines would get it, too
		return invalid("--aws-profile must be the same for all lines", "set it before the name of the file")
	}
	return os.Setenv("AWS_PROFILE", p.global.awsProfile)
}

// openOptions returns the options for every bucket.
func (p *program) openOptions() []storage.OpenOption {
	opts := []storage.OpenOption{storage.WithRetry(p.retry)}
	for _, layer := range p.layers {
		opts = append(opts, storage.WithLayer(layer))
	}
	if p.global.dryRun {
		opts = append(opts, storage.WithHook(refuseChanges), storage.WithLayer(readOnly))
	}
	return opts
}
