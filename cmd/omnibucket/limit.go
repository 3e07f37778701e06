package main

import (
	"context"
	"errors"
	"os"
	"strings"

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
	p.layers = append(p.layers, bandwidth.NewLimiter(timetable).Layer)
	return nil
}

// selectCredentials selects a profile of AWS's files, as the variable of AWS does.
func (p *program) selectCredentials() error {
	if p.global.awsProfile == "" {
		return nil
	}
	return os.Setenv("AWS_PROFILE", p.global.awsProfile)
}

// openOptions returns the options for every bucket.
func (p *program) openOptions() []storage.OpenOption {
	var opts []storage.OpenOption
	for _, layer := range p.layers {
		opts = append(opts, storage.WithLayer(layer))
	}
	if p.global.dryRun {
		opts = append(opts, storage.WithLayer(readOnly))
	}
	return opts
}

// readOnly refuses all requests that change something, so that no command with --dry-run
// changes anything, even by mistake.
func readOnly(d storage.Driver) storage.Driver {
	return storage.Intercept(d, func(ctx context.Context, call string, next func(context.Context) error) error {
		switch {
		case call == "Get", call == "Head", call == "Tags", strings.HasPrefix(call, "List"), strings.HasPrefix(call, "Sign"):
			return next(ctx)
		}
		return errDryRun
	})
}
