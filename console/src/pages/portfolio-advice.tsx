/** Decisions and the order plan. Orders are never sent to a broker. */

import type { Decision, Order, OrderPlan, Report } from "../api/types";
import { amount, count, date, money, moneyWithCode, percent, quantity } from "../format";
import { Badge, Card, Empty, Notice, Scrollable, type Tone } from "../ui/parts";
import { reasonOf } from "../words/reports";

const ACTION_TONES: Record<Decision["decision"], Tone> = { BUY: "ok", SELL: "bad", HOLD: "neutral" };
const ACTIONS: Record<Decision["decision"], string> = { BUY: "Buy", SELL: "Sell", HOLD: "Hold" };
// A price whose product with the shares is the cost is in the currency of the cost.
const SAME = 1e-6;
const SKIPPED: Record<string, string> = {
  less_than_one_lot: "Less than one lot",
  less_than_one_share: "Less than one share", // of reports of an earlier version
  lower_score: "Lower score than the others",
  no_cash: "No cash left",
  no_buying_power: "No buying power",
  stale_price: "Stale price",
  no_price: "No price",
  too_many_shares: "Too many shares",
};

export function Advice({ report }: { report: Report }) {
  const acting = report.decisions.filter((decision) => decision.decision !== "HOLD");
  const holding = report.decisions.filter((decision) => decision.decision === "HOLD");
  return (
    <>
      <Card title="Decisions" note="Rule-based recommendations with their reasons">
        {acting.length ? <Decisions decisions={acting} /> : <Empty title="Nothing to buy or sell" />}
        {holding.length > 0 && (
          <details>
            <summary>{count(holding.length)} to hold</summary>
            <Decisions decisions={holding} />
          </details>
        )}
      </Card>
      {report.order_plan && <Orders plan={report.order_plan} report={report} />}
    </>
  );
}

function Decisions({ decisions }: { decisions: Decision[] }) {
  return (
    <ul class="decisions">
      {decisions.map((decision) => (
        <li key={decision.symbol}>
          <div class="group-head">
            <h4>{decision.symbol}</h4>
            <Badge tone={ACTION_TONES[decision.decision]}>{ACTIONS[decision.decision]}</Badge>
            <span class="note">
              Strength {decision.strength} of 10
              {decision.signal_since && `, since ${date(decision.signal_since)}`}
            </span>
          </div>
          <p>{decision.reasoning_summary}</p>
        </li>
      ))}
    </ul>
  );
}

function Orders({ plan, report }: { plan: OrderPlan; report: Report }) {
  const { currency } = report;
  if (plan.reason) {
    return (
      <Card title="Order plan" note="Orders are not sent to a broker.">
        <Notice tone="warning" title="No orders are planned">
          {plan.notes.join(" ") || reasonOf(plan.reason)}
        </Notice>
      </Card>
    );
  }
  return (
    <Card
      title="Order plan"
      note={`${money(plan.total_sell_proceeds, currency)} from sales, ${money(plan.total_buy_cost, currency)} of ${money(plan.available_buying_power, currency)} buying power used${plan.scaling_applied ? `, scaled to ${percent(plan.scaling_factor, 0)}` : ""}. Orders are not sent to a broker.`}
    >
      {plan.orders.length ? <OrdersTable orders={plan.orders} report={report} /> : <Empty title="No orders" />}
      {plan.notes.length > 0 && (
        <ul class="plain-list">
          {plan.notes.map((note) => (
            <li key={note}>{note}</li>
          ))}
        </ul>
      )}
    </Card>
  );
}

/** Return the price of an order, which is in the currency of its symbol; that of a symbol not held is not reported. */
function priceOf(order: Order, report: Report): string {
  const held = report.holdings.find((holding) => holding.symbol === order.symbol);
  const cost = (order.estimated_price ?? 0) * order.shares;
  const isOfReport = cost > 0 && Math.abs(order.estimated_cost / cost - 1) < SAME;
  const currency = held ? (held.currency ?? report.currency) : isOfReport ? report.currency : null;
  return currency === null
    ? amount(order.estimated_price)
    : currency === report.currency
      ? money(order.estimated_price, currency)
      : moneyWithCode(order.estimated_price, currency);
}

function OrdersTable({ orders, report }: { orders: Order[]; report: Report }) {
  return (
    <Scrollable label="Orders">
      <table class="table">
        <caption class="hidden">Orders, the first to place first</caption>
        <thead>
          <tr>
            <th scope="col" class="number">
              Priority
            </th>
            <th scope="col">Order</th>
            <th scope="col" class="number">
              Shares
            </th>
            <th scope="col" class="number optional">
              Price
            </th>
            <th scope="col" class="number">
              Amount
            </th>
          </tr>
        </thead>
        <tbody>
          {orders.map((order) => (
            <tr key={order.priority}>
              <td class="number">{order.priority}</td>
              <th scope="row">
                {ACTIONS[order.side]} {order.symbol}
                {order.skip_reason && <span class="sub">{SKIPPED[order.skip_reason] ?? order.skip_reason}</span>}
              </th>
              <td class="number">{quantity(order.shares)}</td>
              <td class="number optional">{priceOf(order, report)}</td>
              <td class="number">{money(order.estimated_cost, report.currency)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scrollable>
  );
}
