package driver

import "context"

// ServiceWithLayers returns a service driver whose buckets have these layers. The first layer is
// next to the store. A server over the result, such as that of package s3server, serves every
// bucket through the layers. Private objects of a [PrivateDriver] have the layers, too. Calls that
// create or remove buckets do not pass through the layers.
func ServiceWithLayers(s ServiceDriver, layers ...Layer) ServiceDriver {
	if len(layers) == 0 {
		return s
	}
	layered := &layeredService{s, layers}
	if private, ok := s.(PrivateDriver); ok {
		return struct {
			ServiceDriver
			PrivateDriver
		}{layered, &layeredPrivate{private, layers}}
	}
	return layered
}

type layeredService struct {
	ServiceDriver
	layers []Layer
}

func (s *layeredService) Driver(name string) (Driver, error) {
	return around(s.layers)(s.ServiceDriver.Driver(name))
}

// layeredPrivate implements PrivateDriver for ServiceWithLayers.
type layeredPrivate struct {
	inner  PrivateDriver
	layers []Layer
}

func (p *layeredPrivate) PrivateDriver(ctx context.Context, bucket string, create bool) (Driver, error) {
	return around(p.layers)(p.inner.PrivateDriver(ctx, bucket, create))
}

func around(layers []Layer) func(Driver, error) (Driver, error) {
	return func(d Driver, err error) (Driver, error) {
		if err != nil {
			return nil, err
		}
		for _, layer := range layers {
			d = layer(d)
		}
		return d, nil
	}
}
