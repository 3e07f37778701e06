package limit

import (
	"context"
	"io"

	"github.com/omnibucket/storage/driver"
)

func init() { driver.RegisterLayer("limit", configure) }

// configure reads the layer's part of a configuration file.
func configure(settings driver.LayerSettings) (*driver.ConfiguredLayer, error) {
	var params struct {
		Bytes  string  `yaml:"bytes"` // a limit or a timetable in the notation of [Parse]
		Reads  float64 `yaml:"reads"` // reads per second; writes and lists have the same unit
		Writes float64 `yaml:"writes"`
		Lists  float64 `yaml:"lists"`
	}
	if err := settings(&params); err != nil {
		return nil, err
	}

	c := Config{Requests: Requests{Reads: params.Reads, Writes: params.Writes, Lists: params.Lists}}
	if params.Bytes != "" {
		timetable, err := Parse(params.Bytes)
		if err != nil {
			return nil, err
		}
		c.Bytes = timetable
	}

	layer, err := New(c)
	if err != nil {
		return nil, err
	}
	return &driver.ConfiguredLayer{
		Open: func(context.Context, driver.LayerParts) (driver.Layer, io.Closer, error) {
			return layer, nil, nil
		},
	}, nil
}
