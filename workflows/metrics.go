package workflows

import (
	"errors"
	"strings"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/gitbook-courier/courier/activities"
)

// Metrics of deliveries that are over. The SDK counts nothing while a workflow is replayed.
const (
	metricDeliveries = "courier.deliveries"
	metricDuration   = "courier.delivery.duration"
)

// countDelivery counts a delivery that ends with err, and how long it took if it was delivered.
func countDelivery(ctx workflow.Context, in DeliveryInput, err error) {
	outcome := "delivered"
	switch _, continued := errors.AsType[*workflow.ContinueAsNewError](err); {
	case continued:
		return
	case temporal.IsCanceledError(err):
		outcome = "cancelled"
	case err != nil:
		outcome = "undelivered"
	}
	destination := in.Destination
	if strings.HasPrefix(destination, activities.InstallationPrefix) {
		destination = strings.TrimSuffix(activities.InstallationPrefix, ".")
	}
	metrics := workflow.GetMetricsHandler(ctx).WithTags(map[string]string{"destination": destination, "outcome": outcome})
	metrics.Counter(metricDeliveries).Inc(1)
	if err == nil && in.Reason == ReasonEvent {
		metrics.Timer(metricDuration).Record(workflow.Now(ctx).Sub(in.AcceptedAt))
	}
}
