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
	// Lines of "omnibucket run" with the same flag share a limit.
	layer, ok := s.Buckets.limits[s.flags.bwlimit]
	if !ok {
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

// selectCredentials sets the variable AWS_PROFILE to the value of --aws-profile.
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

// openOptions returns the options for opening a bucket with these layers and the global flags.
func (s *Stores) openOptions(layers []driver.Layer) []storage.OpenOption {
	opts := []storage.OpenOption{storage.WithRetry(s.retry)}
	for _, layer := range layers {
		opts = append(opts, driver.WithLayer(layer))
	}
	if s.flags.DryRun {
		readOnly := readonly.New(readonly.Config{Refusal: errDryRun})
		opts = append(opts, storage.WithHook(refuseChanges), driver.WithLayer(readOnly))
	}
	return opts
}
