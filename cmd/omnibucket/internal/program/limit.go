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

// startLimit creates the bandwidth limit of --bwlimit. All buckets share it.
func (s *Stores) startLimit() error {
	if s.flags.bwlimit == "" {
		return nil
	}

	timetable, err := limit.Parse(s.flags.bwlimit)
	if parseErr, ok := errors.AsType[*storage.Error](err); ok {
		return argument.Invalid(
			"--bwlimit: "+parseErr.Err.Error(),
			`use a rate such as 10M, or a timetable such as "08:00,512K 19:00,off"`,
		)
	}
	if err != nil {
		return err
	}

	s.Buckets.mu.Lock()
	defer s.Buckets.mu.Unlock()
	layer, ok := s.Buckets.limits[s.flags.bwlimit]
	if !ok {
		// Lines of "omnibucket run" with the same flag share a limit.
		if layer, err = limit.New(limit.Config{Bytes: timetable}); err != nil {
			return err
		}
		if s.Buckets.limits == nil {
			s.Buckets.limits = map[string]driver.Layer{}
		}
		s.Buckets.limits[s.flags.bwlimit] = layer
	}

	s.layers = append(s.layers, layer)
	return nil
}

// selectCredentials selects the AWS profile of --aws-profile, by setting the variable AWS_PROFILE.
func (p *Program) selectCredentials() error {
	if p.Global.awsProfile == "" {
		return nil
	}
	// The variable applies to the whole process, so all lines of "omnibucket run" need the same
	// profile.
	if p.InBatch && os.Getenv("AWS_PROFILE") != p.Global.awsProfile {
		return argument.Invalid("--aws-profile must be the same for all lines", "set it before the name of the file")
	}
	return os.Setenv("AWS_PROFILE", p.Global.awsProfile)
}

// openOptions returns the options with which every bucket is opened, including its layers.
func (s *Stores) openOptions(layers []driver.Layer) []storage.OpenOption {
	opts := []storage.OpenOption{storage.WithRetry(s.retry)}
	for _, layer := range layers {
		opts = append(opts, driver.WithLayer(layer))
	}
	if s.flags.DryRun {
		opts = append(opts, storage.WithHook(refuseChanges),
			driver.WithLayer(readonly.New(readonly.Config{Refusal: errDryRun})))
	}
	return opts
}
