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
		return &layeredPrivateService{ServiceDriver: layered, private: private, layers: layers}
	}
	return layered
}

// A layeredService implements ServiceWithLayers.
type layeredService struct {
	ServiceDriver
	layers []Layer
}

// Driver returns the driver of a bucket, with the layers around it.
func (s *layeredService) Driver(name string) (Driver, error) {
	d, err := s.ServiceDriver.Driver(name)
	if err != nil {
		return nil, err
	}
	return addLayers(d, s.layers), nil
}

var _ PrivateDriver = (*layeredPrivateService)(nil)

// A layeredPrivateService is a layeredService that has private objects. It does not embed the
// interface PrivateDriver: the name of that field would hide the method of the same name.
type layeredPrivateService struct {
	ServiceDriver // a *layeredService
	private       PrivateDriver
	layers        []Layer
}

// PrivateDriver returns the driver of a bucket's private objects, with the layers around it.
func (s *layeredPrivateService) PrivateDriver(ctx context.Context, bucket string, create bool) (Driver, error) {
	d, err := s.private.PrivateDriver(ctx, bucket, create)
	if err != nil {
		return nil, err
	}
	return addLayers(d, s.layers), nil
}

// addLayers wraps d in the layers, of which the last is outermost.
func addLayers(d Driver, layers []Layer) Driver {
	for _, layer := range layers {
		d = layer(d)
	}
	return d
}
