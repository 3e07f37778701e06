package program

import (
	"errors"
	"os"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/layers/limit"
	"github.com/omnibucket/storage/layers/readonly"
)

// startLimit makes the limit of --bwlimit, which all buckets share.
func (p *Program) startLimit() error {
	if p.Global.bwlimit == "" {
		return nil
	}
	timetable, err := limit.Parse(p.Global.bwlimit)
	var own *storage.Error
	if errors.As(err, &own) {
		return argument.Invalid("--bwlimit: "+own.Err.Error(), `use a rate such as 10M, or a timetable such as "08:00,512K 19:00,off"`)
	}
	if err != nil {
		return err
	}
	p.Buckets.mu.Lock()
	defer p.Buckets.mu.Unlock()
	layer, known := p.Buckets.limits[p.Global.bwlimit]
	if !known { // lines of run with the same flag share its limit
		if layer, err = limit.New(limit.Config{Bytes: timetable}); err != nil {
			return err
		}
		if p.Buckets.limits == nil {
			p.Buckets.limits = map[string]driver.Layer{}
		}
		p.Buckets.limits[p.Global.bwlimit] = layer
	}
	p.layers = append(p.layers, layer)
	return nil
}

// selectCredentials selects a profile of AWS's files, as the variable of AWS does.
func (p *Program) selectCredentials() error {
	if p.Global.awsProfile == "" {
		return nil
	}
	if p.InBatch && os.Getenv("AWS_PROFILE") != p.Global.awsProfile { // other lines would get it, too
		return argument.Invalid("--aws-profile must be the same for all lines", "set it before the name of the file")
	}
	return os.Setenv("AWS_PROFILE", p.Global.awsProfile)
}

// openOptions returns the options for every bucket, with its layers.
func (p *Program) openOptions(layers []driver.Layer) []storage.OpenOption {
	opts := []storage.OpenOption{storage.WithRetry(p.retry)}
	for _, layer := range layers {
		opts = append(opts, driver.WithLayer(layer))
	}
	if p.Global.DryRun {
		opts = append(opts, storage.WithHook(refuseChanges), driver.WithLayer(readonly.New(readonly.Config{Refusal: errDryRun})))
	}
	return opts
}
